// Runs the scenarios with node-zookeeper-client against running servers. Started by `run`.
//
// It knows the order of the scenarios and how results are printed; what a scenario does is in the
// other files.
'use strict';

const { World } = require('./world');
const znodes = require('./znodes');
const access = require('./access');
const watches = require('./watches');
const sessions = require('./sessions');
const recipes = require('./recipes');

const SCENARIO_SECONDS = 90;

// One with a text instead of a function is beyond the API of this client; the text says why.
const SCENARIOS = [
  ['connect', znodes.connect],
  ['create_modes', znodes.createModes],
  ['read_write', znodes.readWrite],
  ['children', znodes.children],
  ['acl_auth', access.aclAuth],
  ['multi', access.multi],
  ['watch_once', watches.watchOnce],
  ['watch_persistent', 'the client has no addWatch'],
  ['watch_recursive', 'the client has no addWatch'],
  ['session_expiry', sessions.sessionExpiry],
  ['failover', sessions.failover],
  ['leader_killed', sessions.leaderKilled],
  ['chroot', znodes.chroot],
  ['large_values', znodes.largeValues],
  ['ephemerals_1000', znodes.ephemerals1000],
  ['unicode', znodes.unicode],
  ['children_10000', znodes.children10000],
  ['lock_killed_holder', recipes.lockKilledHolder],
  ['election_killed_holder', recipes.electionKilledHolder],
  ['sync_read', 'the client has no sync'],
  ['tree', znodes.tree],
];

// Why the promise failed, or nothing.
async function failure(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`took more than ${SCENARIO_SECONDS} seconds`);
    timer = setTimeout(() => reject(error), SCENARIO_SECONDS * 1000);
  });
  try {
    await Promise.race([promise, late]);
    return '';
  } catch (error) {
    return String((error && error.stack) || error);
  } finally {
    clearTimeout(timer);
  }
}

// Runs one scenario and prints its line; whether it did not fail.
async function report(name, run, world) {
  if (typeof run === 'string') {
    console.log(`none ${name}: ${run}`);
    return true;
  }
  let reason = await failure(run(world));
  const left = await failure(world.close());
  reason = reason || left;
  console.log(reason ? `FAIL ${name}: ${reason.replace(/\n/g, '\n    ')}` : `ok ${name}`);
  return !reason;
}

function parse(words) {
  const options = { only: '', quick: false, list: false, connect: '' };
  for (let at = 0; at < words.length; at += 1) {
    if (words[at] === '--only') {
      at += 1;
      options.only = words[at] || '';
    } else if (words[at] === '--quick') {
      options.quick = true;
    } else if (words[at] === '--list') {
      options.list = true;
    } else {
      options.connect = words[at];
    }
  }
  return options;
}

async function main(words) {
  if (words[0] === recipes.HOLD) {
    await recipes.hold(words[1], words[2]);
    return 1;
  }
  const options = parse(words);
  const chosen = SCENARIOS.filter(([name]) => name.includes(options.only));
  if (options.list) {
    chosen.forEach(([name]) => console.log(name));
    return 0;
  }
  if (!options.connect) {
    console.error('usage: run [--only TEXT] [--quick] [--list] HOST:PORT[,HOST:PORT...]');
    return 2;
  }
  let good = true;
  for (const [name, run] of chosen) {
    good = (await report(name, run, new World(options, name))) && good;
  }
  return good ? 0 : 1;
}

// A failure that nobody waits for must not pass for success.
process.on('unhandledRejection', (error) => {
  throw error;
});
main(process.argv.slice(2)).then((code) => process.exit(code));
