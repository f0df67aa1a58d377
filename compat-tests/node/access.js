// Scenarios of ACLs, authentication and transactions.
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const { ACL, Exception, Id, Permission } = require('node-zookeeper-client');
const { call, eventually, refused } = require('./world');

async function aclAuth(world) {
  const client = await world.rooted();
  const other = await world.client();
  const secret = `${world.root}/secret`;
  const hash = crypto.createHash('sha1').update('user:right').digest('base64');
  const onlyUser = [new ACL(Permission.ALL, new Id('digest', `user:${hash}`))];
  await client.create(secret, 's', undefined, onlyUser);
  await refused(Exception.NO_AUTH, client.get(secret));
  client.raw.addAuthInfo('digest', Buffer.from('user:wrong'));
  await refused(Exception.NO_AUTH, client.set(secret, ''));
  client.raw.addAuthInfo('digest', Buffer.from('user:right'));
  assert.strictEqual((await client.get(secret)).text, 's');

  const found = await client.getAcl(secret);
  assert.deepStrictEqual(found.acls, onlyUser);
  assert.strictEqual(found.stat.aversion, 0);
  const readable = onlyUser.concat(ACL.READ_ACL_UNSAFE);
  await refused(Exception.BAD_VERSION, client.setAcl(secret, readable, 7));
  const stat = await client.setAcl(secret, readable, 0);
  assert.deepStrictEqual([stat.aversion, stat.version], [1, 0]);

  await eventually('everybody may read', async () => {
    try {
      await other.get(secret);
      return true;
    } catch (error) {
      assert([Exception.NO_AUTH, Exception.NO_NODE].includes(error.code), String(error));
      return false;
    }
  });
  await refused(Exception.NO_AUTH, other.set(secret, ''));
  await refused(Exception.NO_AUTH, other.setAcl(secret, ACL.OPEN_ACL_UNSAFE));
  other.raw.addAuthInfo('digest', Buffer.from('super:secret'));
  await other.set(secret, 'by super');

  await client.create(`${world.root}/own`, '', undefined, ACL.CREATOR_ALL_ACL);
  const { acls } = await client.getAcl(`${world.root}/own`);
  assert.deepStrictEqual(acls.map(({ id }) => id.scheme), ['digest', 'digest']);
  const stranger = await world.client();
  const told = new Promise((resolve) => stranger.raw.once('authenticationFailed', resolve));
  stranger.raw.addAuthInfo('unknown', Buffer.from('x'));
  await told;
}

// A version of 0 is any version to the transactions of this client, so no node has it here.
async function multi(world) {
  const client = await world.rooted();
  const [node, other] = [`${world.root}/node`, `${world.root}/other`];
  await client.create(node, '0');
  await client.set(node, '1');
  const results = await call(client.raw.transaction()
    .setData(node, Buffer.from('2'), 1)
    .check(node, 2)
    .create(`${world.root}/s-`, Buffer.from(''), 2)
    .create(other, Buffer.from(''))
    .remove(other), 'commit');
  assert.strictEqual(results[0].length, 5);
  assert.strictEqual(results[0][0].stat.version, 2);
  assert.strictEqual(results[0][2].path, `${world.root}/s-0000000001`);
  const before = await client.get(node);
  assert.strictEqual(before.text, '2');

  const errors = await new Promise((resolve) => {
    client.raw.transaction()
      .setData(node, Buffer.from('3'), 2)
      .create(other, Buffer.from(''))
      .check(node, 2)
      .remove(world.root)
      .commit((error, parts) => resolve([error.code, parts.map((part) => part.err)]));
  });
  assert.deepStrictEqual(errors, [Exception.BAD_VERSION, [Exception.OK, Exception.OK,
    Exception.BAD_VERSION, Exception.RUNTIME_INCONSISTENCY]]);
  assert.deepStrictEqual(await client.get(node), before);
  assert.strictEqual(await client.stat(other), null);
}

module.exports = { aclAuth, multi };
