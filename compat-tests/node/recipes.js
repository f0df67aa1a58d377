// Scenarios of a lock and an election whose holder is killed.
//
// The client has no recipes, so these are the ones that ZooKeeper's documentation describes: for
// the lock those who wait stand in line and watch the one before; in the election everybody tries
// to create one ephemeral znode and watches it.
'use strict';

const assert = require('assert');
const { spawn } = require('child_process');
const { CreateMode, Exception } = require('node-zookeeper-client');
const { Client, eventually } = require('./world');

const HOLD = 'hold';
const HOLDER_MS = 2000;
const CONTENDERS = 3;

// Waits until a znode is gone, if it is there; `waits` is told that it is.
async function end(client, path, waits) {
  await new Promise((resolve, reject) => {
    client.stat(path, resolve).then((stat) => (stat ? waits() : resolve()), reject);
  });
}

// How an office is taken: it returns the path that is to be removed to give it back.
const OFFICES = {
  async lock(client, path, waits) {
    const own = await client.create(`${path}/lock-`, '', CreateMode.EPHEMERAL_SEQUENTIAL);
    for (;;) {
      const { names } = await client.list(path);
      const place = names.indexOf(own.slice(path.length + 1));
      assert(place >= 0, `${own} is not in line`);
      if (place === 0) {
        return own;
      }
      await end(client, `${path}/${names[place - 1]}`, waits);
    }
  },

  async election(client, path, waits) {
    const leader = `${path}/leader`;
    for (;;) {
      try {
        return await client.create(leader, '', CreateMode.EPHEMERAL);
      } catch (error) {
        assert.strictEqual(error.code, Exception.NODE_EXISTS, String(error));
      }
      await end(client, leader, waits);
    }
  },
};

function take(client, path, waits) {
  return OFFICES[path.slice(path.lastIndexOf('/') + 1)](client, path, waits);
}

// Takes an office and keeps it until it is killed. A process of its own.
async function hold(connect, path) {
  // Whoever started it has ended, if this comes.
  process.stdin.on('end', () => process.exit(1)).resume();
  const client = await new Client(connect, { sessionTimeout: HOLDER_MS }).start();
  await take(client, path, () => {});
  await client.create(`${path}-taken`, '', CreateMode.EPHEMERAL);
  console.log('held');
  await new Promise(() => {});
}

// Starts the holder and waits until it has the office; how it is killed.
async function startHolder(world, path) {
  const holder = spawn(process.execPath, [process.argv[1], HOLD, world.connect, path],
    { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => holder.once('exit', resolve));
  world.after.push(() => holder.kill('SIGKILL'));
  const said = new Promise((resolve) => holder.stdout.once('data', resolve));
  assert.strictEqual(String(await Promise.race([said, ended])), 'held\n');
  return () => {
    holder.kill('SIGKILL');
    return ended;
  };
}

// Takes the office, sees that it is alone, counts, and gives the office back.
async function serve(client, path, waits) {
  const own = await take(client, path, waits);
  // If this is there another one holds the office too.
  await client.create(`${path}-taken`, '', CreateMode.EPHEMERAL);
  const count = Number((await client.get(`${path}-count`)).text);
  await client.set(`${path}-count`, String(count + 1));
  await client.remove(`${path}-taken`);
  await client.remove(own);
}

async function killedHolder(world, name) {
  const client = await world.rooted();
  const path = `${world.root}/${name}`;
  await client.create(path);
  await client.create(`${path}-count`, '0');
  const kill = await startHolder(world, path);
  const waiting = new Set();
  const contenders = [];
  for (let at = 0; at < CONTENDERS; at += 1) {
    const contender = await world.client();
    contenders.push(serve(contender, path, () => waiting.add(at)));
  }
  const all = Promise.all(contenders);
  await Promise.race([all, eventually('all wait', () => waiting.size === CONTENDERS)]);
  const counted = async () => Number((await client.get(`${path}-count`)).text);
  assert.strictEqual(await counted(), 0, 'somebody was in office beside the holder');
  await kill();
  await all;
  await eventually('every contender was in office',
    async () => (await counted()) === CONTENDERS);
}

const lockKilledHolder = (world) => killedHolder(world, 'lock');
const electionKilledHolder = (world) => killedHolder(world, 'election');

module.exports = { HOLD, hold, lockKilledHolder, electionKilledHolder };
