// `memcached` of npm: NODE_PATH=.../node_modules node npm-memcached.js HOST PORT

'use strict';

const Memcached = require('memcached');
const { assert, largeText, runChecks, until } = require('./checks.js');

const [host, port] = process.argv.slice(2);
const server = `${host}:${port}`;
const options = { maxValue: 4 << 20, timeout: 10000, retries: 0, failures: 1000, poolSize: 4 };
let client = new Memcached(server, options);
// Buffers travel as text in this client, their high bytes doubled: ASCII keeps the size.
const large = Buffer.from(largeText);

// Calls a method of the client and gives what its callback is given.
function ask(method, ...args) {
  return new Promise((resolve, reject) => {
    client[method](...args, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

// A request that is not made is an error in this client, and nothing else tells why.
async function refused(method, ...args) {
  try {
    return await ask(method, ...args);
  } catch {
    return false;
  }
}

const checks = {
  async 'sets and gets'() {
    await ask('flush');
    assert.equal(await ask('get', 'k'), undefined);
    for (const value of ['text', '', 42, true, { a: [1, null] }]) {
      assert.equal(await ask('set', 'k', value, 0), true);
      assert.deepEqual(await ask('get', 'k'), value);
    }
  },
  async 'gets many'() {
    const expected = {};
    for (let index = 0; index < 100; index++) {
      expected[`m${index}`] = `v${index}`;
      assert.equal(await ask('set', `m${index}`, `v${index}`, 0), true);
    }
    const found = await ask('getMulti', [...Object.keys(expected), 'none']);
    assert.deepEqual({ ...found }, expected);
  },
  async 'many requests at once'() {
    const keys = Array.from({ length: 500 }, (_, index) => `c${index}`);
    await Promise.all(keys.map((key) => ask('set', key, key, 0)));
    assert.deepEqual(await Promise.all(keys.map((key) => ask('get', key))), keys);
  },
  async 'adds and replaces'() {
    await refused('del', 'k');
    assert.equal(await refused('replace', 'k', 'a', 0), false);
    assert.equal(await ask('add', 'k', 'b', 0), true);
    assert.equal(await refused('add', 'k', 'c', 0), false);
    assert.equal(await ask('replace', 'k', 'd', 0), true);
    assert.equal(await ask('get', 'k'), 'd');
  },
  async 'appends and prepends'() {
    await refused('del', 'k');
    assert.equal(await refused('append', 'k', 'x'), false);
    await ask('set', 'k', 'b', 0);
    assert.equal(await ask('append', 'k', 'c'), true);
    assert.equal(await ask('prepend', 'k', 'a'), true);
    assert.equal(await ask('get', 'k'), 'abc');
  },
  async 'compares and swaps'() {
    await ask('set', 'k', 'a', 0);
    const found = await ask('gets', 'k');
    assert.equal(found.k, 'a');
    assert.equal(await ask('cas', 'k', 'b', found.cas, 0), true);
    assert.equal(await refused('cas', 'k', 'c', found.cas, 0), false);
    assert.equal(await ask('get', 'k'), 'b');
  },
  async 'counts'() {
    await refused('del', 'n');
    assert.equal(await refused('incr', 'n', 1), false);
    await ask('set', 'n', 10, 0);
    assert.equal(await ask('incr', 'n', 5), 15);
    assert.equal(await ask('decr', 'n', 6), 9);
    assert.equal(await ask('decr', 'n', 100), 0);
    await ask('set', 'n', 'word', 0);
    await assert.rejects(ask('incr', 'n', 1), /non-numeric/);
  },
  async 'touches and expires'() {
    await refused('del', 'k');
    assert.equal(await refused('touch', 'k', 10), false);
    await ask('set', 'k', 'a', 1);
    assert.equal(await ask('touch', 'k', 100), true);
    await ask('set', 'probe', 'a', 1);
    await until(async () => (await ask('get', 'probe')) === undefined);
    assert.equal(await ask('get', 'k'), 'a');
    assert.equal(await ask('touch', 'k', 1), true);
    await until(async () => (await ask('get', 'k')) === undefined);
  },
  async 'deletes'() {
    await ask('set', 'k', 'a', 0);
    assert.equal(await ask('del', 'k'), true);
    assert.equal(await refused('del', 'k'), false);
    assert.equal(await ask('get', 'k'), undefined);
  },
  async 'moves 900 KB'() {
    assert.equal(await ask('set', 'large', large, 0), true);
    assert.ok(large.equals(await ask('get', 'large')));
  },
  async 'is refused more than 1 MB'() {
    await ask('set', 'large', 'old', 0);
    assert.equal(await refused('set', 'large', 'x'.repeat((1 << 20) + 1), 0), false);
    // After an error of the server this client counts it as down for a while.
    client.end();
    client = new Memcached(server, options);
    assert.equal(await ask('get', 'large'), undefined);
    assert.equal(await ask('set', 'large', 'new', 0), true);
    assert.equal(await ask('get', 'large'), 'new');
  },
  async 'keys up to their length'() {
    assert.equal(await ask('set', 'k'.repeat(250), 'a', 0), true);
    assert.equal(await ask('get', 'k'.repeat(250)), 'a');
  },
  async 'version and stats'() {
    const [version] = await ask('version');
    assert.match(version.version, /^\d+\.\d+\.\d+$/);
    const [stats] = await ask('stats');
    assert.ok(stats.curr_connections >= 1 && 'limit_maxbytes' in stats, JSON.stringify(stats));
    const [settings] = await ask('settings');
    assert.ok('maxbytes' in settings);
    const [items] = await ask('items');
    assert.ok(Object.keys(items).length > 0);
    const [slabs] = await ask('slabs');
    assert.ok(Object.keys(slabs).length > 0);
  },
  async 'flushes'() {
    await ask('set', 'k', 'a', 0);
    assert.deepEqual(await ask('flush'), [true]);
    assert.equal(await ask('get', 'k'), undefined);
    assert.equal(await ask('set', 'k', 'b', 0), true);
  },
};

runChecks('npm-memcached', checks);
