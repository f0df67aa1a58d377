// Scenarios of znodes: creating, reading, writing, listing, and names and data of all kinds.
'use strict';

const assert = require('assert');
const { CreateMode, Exception } = require('node-zookeeper-client');
const { call, eventually, ownerOf, refused } = require('./world');
const { Watch } = require('./watches');

async function connect(world) {
  const client = await world.rooted();
  const other = await world.client();
  const { text, stat } = await client.get('/zookeeper');
  assert(text === '' && stat.numChildren > 0, JSON.stringify(stat));
  const node = `${world.root}/ephemeral`;
  await client.create(node, '', CreateMode.EPHEMERAL);
  await eventually('another client sees it', () => other.stat(node));
  await client.close();
  // The session would live on for much longer than this waits, were it not closed.
  await eventually('its end', async () => !(await other.stat(node)));
}

// The client knows the four oldest modes.
async function createModes(world) {
  const client = await world.rooted();
  const other = await world.client();
  const create = (name, mode) => client.create(`${world.root}/${name}`, name, mode);
  const plain = await create('plain', CreateMode.PERSISTENT);
  assert.strictEqual(plain, `${world.root}/plain`);
  for (const number of [1, 2, 3]) {
    assert.strictEqual(await create('s-', CreateMode.PERSISTENT_SEQUENTIAL),
      `${world.root}/s-000000000${number}`);
  }
  const mortal = [await create('e', CreateMode.EPHEMERAL),
    await create('es-', CreateMode.EPHEMERAL_SEQUENTIAL)];
  assert.strictEqual(mortal[1], `${world.root}/es-0000000005`);
  for (const path of mortal) {
    assert.strictEqual(ownerOf(await client.stat(path)), client.session());
  }
  await refused(Exception.NO_CHILDREN_FOR_EPHEMERALS, client.create(`${mortal[0]}/child`));
  await client.close();
  for (const path of mortal) {
    await eventually(`the end of ${path}`, async () => !(await other.stat(path)));
  }
  assert(await other.stat(plain), 'a persistent node has ended');
}

async function readWrite(world) {
  const client = await world.rooted();
  const node = `${world.root}/node`;
  const missing = `${world.root}/missing`;
  await client.create(node, 'one');
  const first = await client.get(node);
  assert.strictEqual(first.text, 'one');
  assert.deepStrictEqual(first.stat.czxid, first.stat.mzxid);
  assert.deepStrictEqual(first.stat.ctime, first.stat.mtime);
  assert.deepStrictEqual([first.stat.version, first.stat.dataLength, first.stat.numChildren],
    [0, 3, 0]);
  const second = await client.set(node, 'second', 0);
  assert(Buffer.compare(second.mzxid, first.stat.mzxid) > 0, 'mzxid did not grow');
  assert.deepStrictEqual(second.czxid, first.stat.czxid);
  assert.deepStrictEqual([second.version, second.dataLength], [1, 6]);
  await refused(Exception.BAD_VERSION, client.set(node, 'third', 0));
  await client.set(node, '');
  const third = await client.get(node);
  assert.deepStrictEqual([third.text, third.stat.version], ['', 2]);

  assert.strictEqual(await client.stat(missing), null);
  await refused(Exception.NO_NODE, client.get(missing));
  await refused(Exception.NO_NODE, client.set(missing, ''));
  await refused(Exception.NO_NODE, client.create(`${missing}/child`));
  await refused(Exception.NODE_EXISTS, client.create(node));
  await client.create(`${node}/child`);
  await refused(Exception.NOT_EMPTY, client.remove(node));
  await client.remove(`${node}/child`);
  await refused(Exception.BAD_VERSION, client.remove(node, 1));
  await client.remove(node, 2);
  await refused(Exception.NO_NODE, client.remove(node));
}

async function children(world) {
  const client = await world.rooted();
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) {
    await client.create(`${world.root}/${name}`);
  }
  let listed = await client.list(world.root);
  assert.deepStrictEqual(listed.names, names);
  assert.deepStrictEqual([listed.stat.numChildren, listed.stat.cversion], [5, 5]);
  await client.remove(`${world.root}/e`);
  listed = await client.list(world.root);
  assert.deepStrictEqual(listed.names, names.slice(0, 4));
  assert.deepStrictEqual([listed.stat.numChildren, listed.stat.cversion], [4, 6]);
  assert(Buffer.compare(listed.stat.pzxid, listed.stat.mzxid) > 0, 'pzxid did not grow');
  assert.deepStrictEqual((await client.list(`${world.root}/a`)).names, []);
  await refused(Exception.NO_NODE, client.list(`${world.root}/e`));
}

async function chroot(world) {
  const outside = await world.rooted();
  const client = await world.client({}, world.connect + world.root);
  const created = new Watch();
  assert.strictEqual(await client.stat('/in', created.watcher), null);
  assert.strictEqual(await client.create('/in', 'x'), '/in');
  await created.firesOnce('NODE_CREATED', '/in');
  const outer = `${world.root}/in`;
  await eventually('it is below the chroot', () => outside.stat(outer));
  assert.deepStrictEqual((await client.list('/')).names, ['in']);
  const changed = new Watch();
  await client.get('/in', changed.watcher);
  await outside.set(outer, 'y');
  await changed.firesOnce('NODE_DATA_CHANGED', '/in');
  assert.strictEqual((await client.get('/in')).text, 'y');
  await client.remove('/in', 1);
}

// A request with more bytes than this is refused: the default of jute.maxbuffer.
const MAX_REQUEST = 0xfffff;

async function largeValues(world) {
  const client = await world.rooted();
  // xid, type, two lengths and a version are the rest of the request.
  const largest = MAX_REQUEST - 5 * 4 - world.root.length;
  for (const size of [1000, 500000, largest]) {
    const value = Buffer.alloc(size, 'value');
    await client.set(world.root, value);
    const { data, stat } = await client.get(world.root);
    assert(data.equals(value) && stat.dataLength === size, `${data.length} bytes, not ${size}`);
  }
  const session = client.session();
  await refused(Exception.CONNECTION_LOSS, client.set(world.root, Buffer.alloc(largest + 1)));
  const stat = await client.stat(world.root);
  assert.strictEqual(stat.version, 3, 'what was refused was written');
  assert.strictEqual(client.session(), session, 'the session was lost');
}

// Creates so many children, without waiting for any before all are sent.
async function createMany(client, path, count, mode) {
  const names = Array.from({ length: count }, (_, at) => `child-${String(at).padStart(5, '0')}`);
  await Promise.all(names.map((name) => client.create(`${path}/${name}`, '', mode)));
  return names;
}

async function ephemerals1000(world) {
  const other = await world.rooted();
  const client = await world.client();
  await createMany(client, world.root, 1000, CreateMode.EPHEMERAL);
  const count = async () => (await other.stat(world.root)).numChildren;
  await eventually('a thousand', async () => (await count()) === 1000);
  await client.close();
  await eventually('the end of all', async () => (await count()) === 0);
}

async function children10000(world) {
  const client = await world.rooted();
  const expected = await createMany(client, world.root, 10000, CreateMode.PERSISTENT);
  const { names, stat } = await client.list(world.root);
  assert.deepStrictEqual(names, expected);
  assert.strictEqual(stat.numChildren, 10000);
}

async function unicode(world) {
  const client = await world.rooted();
  const names = ['Ζάβρα', 'зебра', '斑馬', 'حمار', 'e\u0301', '\u00e9',
    'with space'];
  for (const name of names) {
    const data = Buffer.concat([Buffer.from(`${name} 🦓 `), Buffer.from([0, 255])]);
    await client.create(`${world.root}/${name}`, data);
    assert((await client.get(`${world.root}/${name}`)).data.equals(data), name);
  }
  assert.deepStrictEqual((await client.list(world.root)).names, names.sort());
  // Characters beyond the first plane are no names, as in ZooKeeper's PathUtils.
  await refused(Exception.BAD_ARGUMENTS, client.create(`${world.root}/🦓`));
}

// The client's own helpers for trees. Those that list go one level down and no further, with the
// `async` that the client asks for: its `reduce` does not see what is added meanwhile.
async function tree(world) {
  const client = await world.client();
  await client.mkdirp(`${world.root}/a/b/c`);
  await client.mkdirp(`${world.root}/a/b/d`);
  const [paths] = await call(client.raw, 'listSubTreeBFS', `${world.root}/a/b`);
  assert.deepStrictEqual(paths.sort(), ['', '/c', '/d'].map((rest) => `${world.root}/a/b${rest}`));
  await call(client.raw, 'removeRecursive', `${world.root}/a/b`);
  assert.deepStrictEqual((await client.list(`${world.root}/a`)).names, []);
}

module.exports = { connect, createModes, readWrite, children, chroot, largeValues, ephemerals1000,
  children10000, unicode, tree };
