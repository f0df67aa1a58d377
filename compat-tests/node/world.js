// What scenarios share: clients with promises, a path of their own, waiting, and the control port
// of the harness.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const net = require('net');
const zookeeper = require('node-zookeeper-client');

const { Exception } = zookeeper;

const SESSION_MS = 20000;
const WAIT_MS = 30000;

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Waits until the condition holds: the order of events is the server's, the delay is not.
async function eventually(what, condition) {
  const end = Date.now() + WAIT_MS;
  while (!(await condition())) {
    assert(Date.now() < end, `never happened: ${what}`);
    await sleep(10);
  }
}

// Demands that the promise fails with this code of the client.
async function refused(code, promise) {
  let found = null;
  try {
    await promise;
  } catch (error) {
    found = error;
  }
  assert(found, `nothing failed instead of ${Exception.create(code).getName()}`);
  assert.strictEqual(found.code, code, String(found));
}

// Calls a method of the client; what its callback is given, as a list.
function call(target, method, ...words) {
  return new Promise((resolve, reject) => {
    target[method](...words, (error, ...results) => (error ? reject(error) : resolve(results)));
  });
}

// A client of node-zookeeper-client whose methods return promises.
class Client {
  constructor(servers, options) {
    this.raw = zookeeper.createClient(servers, { sessionTimeout: SESSION_MS, spinDelay: 200,
      ...options });
    this.state = null;
    this.raw.on('state', (state) => {
      this.state = state;
    });
  }

  async start() {
    this.raw.connect();
    await eventually('a session', () => this.state === zookeeper.State.SYNC_CONNECTED);
    return this;
  }

  // Ends when the server has closed the connection, which it does when the session is closed.
  async close() {
    if (this.state !== zookeeper.State.SYNC_CONNECTED) {
      this.raw.close();
      return;
    }
    const ended = new Promise((resolve) => this.raw.once('disconnected', resolve));
    this.raw.close();
    await ended;
  }

  session() {
    return this.raw.getSessionId().toString('hex');
  }

  async create(path, data = Buffer.alloc(0), mode = zookeeper.CreateMode.PERSISTENT,
    acls = zookeeper.ACL.OPEN_ACL_UNSAFE) {
    return (await call(this.raw, 'create', path, Buffer.from(data), acls, mode))[0];
  }

  async get(path, watcher) {
    const [data, stat] = await call(this.raw, 'getData', path, watcher);
    return { data, text: String(data || ''), stat };
  }

  async set(path, data, version = -1) {
    return (await call(this.raw, 'setData', path, Buffer.from(data), version))[0];
  }

  async list(path, watcher) {
    const [names, stat] = await call(this.raw, 'getChildren', path, watcher);
    return { names: names.sort(), stat };
  }

  async stat(path, watcher) {
    return (await call(this.raw, 'exists', path, watcher))[0];
  }

  async remove(path, version = -1) {
    await call(this.raw, 'remove', path, version);
  }

  async getAcl(path) {
    const [acls, stat] = await call(this.raw, 'getACL', path);
    return { acls, stat };
  }

  async setAcl(path, acls, version = -1) {
    return (await call(this.raw, 'setACL', path, acls, version))[0];
  }

  async mkdirp(path) {
    await call(this.raw, 'mkdirp', path);
  }

  // Removes a znode and what is below it. One without children needs not be readable.
  async removeTree(path) {
    try {
      await this.remove(path);
    } catch (error) {
      if (error.code === Exception.NOT_EMPTY) {
        const { names } = await this.list(path);
        await Promise.all(names.map((name) => this.removeTree(`${path}/${name}`)));
        await this.removeTree(path);
      } else if (error.code !== Exception.NO_NODE) {
        throw error;
      }
    }
  }
}

// The owner of an ephemeral, as `Client.session` writes it.
function ownerOf(stat) {
  return stat.ephemeralOwner.toString('hex');
}

// What one scenario has; `close` ends what it left.
class World {
  constructor(options, name) {
    this.connect = options.connect;
    this.servers = options.connect.split(',');
    this.quick = options.quick;
    this.root = `/compat-node-${name}-${crypto.randomBytes(4).toString('hex')}`;
    this.clients = [];
    this.after = [];
    this.broken = false;
  }

  async client(options = {}, servers = this.connect) {
    const client = new Client(servers, options);
    this.clients.push(client);
    return client.start();
  }

  // A client, and the path of this scenario, which exists.
  async rooted() {
    const client = await this.client();
    await client.create(this.root);
    return client;
  }

  async close() {
    this.after.forEach((end) => end());
    if (this.broken) {
      await this.restore();
    }
    this.clients.forEach((client) => client.raw.close());
    const cleaner = await new Client(this.connect, {}).start();
    await eventually(`the removal of ${this.root}`, async () => {
      try {
        await cleaner.removeTree(this.root);
        return true;
      } catch (error) {
        return false;
      }
    });
    await cleaner.close();
  }

  // Asks the harness; the words behind `ok`.
  async ask(question) {
    const control = process.env.ZABRA_COMPAT_CONTROL;
    assert(control, `ZABRA_COMPAT_CONTROL is not set: there is nobody to ask for \`${question}\``);
    const answer = await exchange(control, `${question}\n`, (text) => text.includes('\n'));
    const words = answer.trim().split(' ');
    assert.strictEqual(words[0], 'ok', `${question}: ${answer}`);
    return words.slice(1);
  }

  // Kills a server. If there is no other one it comes back at once.
  async kill(server) {
    this.broken = true;
    await this.ask(`kill ${server}`);
    if (this.servers.length === 1) {
      await this.restore();
    }
  }

  async restore() {
    await this.ask('restore');
    this.broken = false;
  }

  // The server that a client is connected to: the client does not say it, but the servers do.
  async serverOf(client) {
    const id = client.session().replace(/^0+/, '');
    for (const server of this.servers) {
      const answer = await exchange(server, 'cons', () => false);
      if (answer.includes(`sid=0x${id},`)) {
        return server;
      }
    }
    throw new Error(`no server knows the session ${id}`);
  }
}

// Sends a text and reads until `enough` or the end of the connection.
function exchange(address, text, enough) {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':');
    const link = net.connect(Number(port), host, () => link.write(text));
    let answer = '';
    link.setEncoding('utf8');
    link.on('data', (piece) => {
      answer += piece;
      if (enough(answer)) {
        link.end();
      }
    });
    link.on('error', reject);
    link.on('close', () => resolve(answer));
  });
}

module.exports = { World, Client, WAIT_MS, call, eventually, ownerOf, refused, sleep };
