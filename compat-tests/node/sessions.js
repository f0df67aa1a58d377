// Scenarios of sessions: expiry and killed servers.
'use strict';

const assert = require('assert');
const { CreateMode, Exception, State } = require('node-zookeeper-client');
const { eventually, ownerOf, refused, sleep } = require('./world');
const { Watch } = require('./watches');

async function sessionExpiry(world) {
  const other = await world.rooted();
  const client = await world.client({ sessionTimeout: 3000 });
  const node = `${world.root}/ephemeral`;
  await client.create(node, '', CreateMode.EPHEMERAL);
  await eventually('another client sees it', () => other.stat(node));
  const told = new Promise((resolve) => client.raw.once('expired', resolve));
  // The client may take its session back before the twin has closed it.
  await eventually('the end of its ephemeral', async () => {
    const twin = await world.client({ sessionTimeout: 3000, sessionId: client.raw.getSessionId(),
      sessionPassword: client.raw.getSessionPassword() });
    assert.strictEqual(twin.session(), client.session(), 'the twin has a session of its own');
    await twin.close();
    for (let looks = 0; looks < 500; looks += 1) {
      if (!(await other.stat(node))) {
        return true;
      }
      await sleep(10);
    }
    return false;
  });
  // Apache ZooKeeper drops the pings of a session that has ended, and this client misses no answer
  // to a ping: it is told when it comes again. Its connection is broken as by a failing network.
  client.raw.connectionManager.socket.destroy();
  await told;
  // The client calls itself disconnected when its connection closes behind that.
  await eventually('it has ended', () => client.state === State.DISCONNECTED);
  await refused(Exception.CONNECTION_LOSS, client.create(node));
}

// Repeats what fails for want of a connection. What an attempt did whose reply was lost is done.
function retried(what, act) {
  return eventually(what, async () => {
    try {
      await act();
      return true;
    } catch (error) {
      assert([Exception.CONNECTION_LOSS, Exception.NODE_EXISTS].includes(error.code),
        `${what}: ${error}`);
      return error.code === Exception.NODE_EXISTS;
    }
  });
}

// The client waits without end for the answer to its handshake. A server of Apache ZooKeeper's that
// is just starting may leave one unanswered (a NullPointerException in its log tells); where it is
// the only server this can fail then.
async function failover(world) {
  const other = await world.rooted();
  const client = await world.client();
  const session = client.session();
  const [ephemeral, node] = [`${world.root}/ephemeral`, `${world.root}/node`];
  await client.create(ephemeral, '', CreateMode.EPHEMERAL);
  await client.create(node);
  const [changed, listed] = [new Watch(), new Watch()];
  await client.get(node, changed.watcher);
  await client.list(world.root, listed.watcher);

  const killed = await world.serverOf(client);
  await world.kill(killed);
  let stat;
  await retried('reading elsewhere', async () => {
    stat = await client.stat(ephemeral);
  });
  assert.deepStrictEqual([client.session(), ownerOf(stat)], [session, session]);
  if (world.servers.length > 1) {
    world.servers = world.servers.filter((server) => server !== killed);
    assert.notStrictEqual(await world.serverOf(client), killed);
  }
  await retried('writing', () => other.set(node, 'after'));
  await changed.firesOnce('NODE_DATA_CHANGED', node);
  await retried('creating', () => other.create(`${world.root}/child`));
  await listed.firesOnce('NODE_CHILDREN_CHANGED', world.root);
  await world.restore();
}

async function leaderKilled(world) {
  const each = 50;
  const client = await world.rooted();
  const acknowledged = [];
  let enough = false;
  const writing = (async () => {
    while (!enough) {
      const name = `write-${String(acknowledged.length).padStart(6, '0')}`;
      await retried('a write', () => client.create(`${world.root}/${name}`));
      acknowledged.push(name);
    }
  })();
  const reach = (count) => Promise.race([writing,
    eventually(`${count} writes`, () => acknowledged.length >= count)]);
  await reach(each);
  await world.kill((await world.ask('leader'))[0]);
  await reach(acknowledged.length + each);
  enough = true;
  await writing;
  await world.restore();
  for (const server of world.servers) {
    const reader = await world.client({}, server);
    // The client cannot sync; a server that was restored may yet have to catch up.
    await eventually(`every acknowledged write on ${server}`, async () => {
      const there = new Set((await reader.list(world.root)).names);
      return acknowledged.every((name) => there.has(name));
    });
  }
}

module.exports = { sessionExpiry, failover, leaderKilled };
