// memjs of npm, binary protocol: NODE_PATH=.../node_modules node memjs.js HOST PORT

'use strict';

const memjs = require('memjs');
const { assert, runChecks, until } = require('./checks.js');

const [host, port] = process.argv.slice(2);
const server = `${host}:${port}`;
// What it could not do is the check's business; its log would only repeat it.
const logger = { log() {} };
const options = { timeout: 10, conntimeout: 10, retries: 1, failover: false, logger };
const client = memjs.Client.create(server, options);
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
const large = Buffer.concat(Array(3600).fill(everyByte));

async function bytes(key) {
  return (await client.get(key)).value;
}

async function text(key) {
  const value = await bytes(key);
  return value && value.toString();
}

async function counted(method, key, amount, initial = {}) {
  return (await client[method](key, amount, initial)).value;
}

runChecks('memjs', {
  async 'sets and gets'() {
    await client.flush();
    assert.deepEqual(await client.get('k'), { value: null, flags: null });
    for (const value of ['text', '', 'ä', '\r\nEND\r\n']) {
      assert.equal(await client.set('k', value), true);
      assert.equal(await text('k'), value);
    }
    assert.equal(await client.set('k', everyByte), true);
    assert.ok(everyByte.equals(await bytes('k')));
  },
  async 'keeps flags'() {
    // The flags are a serializer's, as the first four bytes of the extras.
    const serialize = (_opcode, value, extras) => {
      if (extras.length >= 4) extras.writeUInt32BE(0xdeadbeef, 0);
      return { value, extras };
    };
    const deserialize = (_opcode, value, extras) => ({ value, extras });
    const flagging = memjs.Client.create(server, { ...options, serializer: { serialize, deserialize } });
    assert.equal(await flagging.set('k', 'a'), true);
    const found = await flagging.get('k');
    assert.equal(found.flags.readUInt32BE(0), 0xdeadbeef);
    flagging.close();
  },
  async 'many requests at once'() {
    const keys = Array.from({ length: 1000 }, (_, index) => `c${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    assert.deepEqual(await Promise.all(keys.map(text)), keys);
  },
  async 'adds and replaces'() {
    await client.delete('k');
    assert.equal(await client.replace('k', 'a'), false);
    assert.equal(await client.add('k', 'b'), true);
    assert.equal(await client.add('k', 'c'), false);
    assert.equal(await text('k'), 'b');
    assert.equal(await client.replace('k', 'd'), true);
    assert.equal(await text('k'), 'd');
  },
  async 'appends'() {
    // Not prepends: what this version sends for it is an append.
    await client.delete('k');
    await assert.rejects(client.append('k', 'x'), /not stored/);
    await client.set('k', 'a');
    assert.equal(await client.append('k', 'b'), true);
    assert.equal(await text('k'), 'ab');
  },
  async 'counts'() {
    await client.set('n', '10');
    assert.equal(await counted('increment', 'n', 5), 15);
    assert.equal(await counted('decrement', 'n', 6), 9);
    assert.equal(await counted('decrement', 'n', 100), 0);
    await client.set('n', 'word');
    await assert.rejects(client.increment('n', 1), /non-numeric/i);
    assert.equal(await text('n'), 'word');
  },
  async 'counts from an initial value'() {
    await client.delete('n');
    assert.equal(await counted('increment', 'n', 3, { initial: 40 }), 40);
    assert.equal(await counted('increment', 'n', 3, { initial: 40 }), 43);
    assert.equal(await text('n'), '43');
    await client.delete('n');
    assert.equal(await counted('decrement', 'n', 3), 0);
    await client.delete('n');
    assert.equal(await counted('decrement', 'n', 3, { initial: 7, expires: 1 }), 7);
    await until(async () => (await bytes('n')) === null);
  },
  async 'touches and expires'() {
    await client.delete('k');
    assert.equal(await client.touch('k', 10), false);
    await client.set('k', 'a', { expires: 1 });
    assert.equal(await client.touch('k', 100), true);
    await client.set('probe', 'a', { expires: 1 });
    await until(async () => (await bytes('probe')) === null);
    assert.equal(await text('k'), 'a');
    assert.equal(await client.touch('k', 1), true);
    await until(async () => (await bytes('k')) === null);
  },
  async 'expires at a time'() {
    const now = Math.floor(Date.now() / 1000);
    await client.set('k', 'a', { expires: now + 100 });
    assert.equal(await text('k'), 'a');
    for (const expires of [2592001, now - 10]) {
      assert.equal(await client.set('k', 'a', { expires }), true);
      assert.equal(await bytes('k'), null);
    }
  },
  async 'deletes'() {
    await client.set('k', 'a');
    assert.equal(await client.delete('k'), true);
    assert.equal(await client.delete('k'), false);
    assert.equal(await bytes('k'), null);
  },
  async 'moves 900 KB'() {
    assert.equal(await client.set('large', large), true);
    assert.ok(large.equals(await bytes('large')));
  },
  async 'is refused more than 1 MB'() {
    for (const length of [1 << 20, (1 << 20) + 1, 3 << 20]) {
      await client.set('large', 'old');
      await assert.rejects(client.set('large', 'x'.repeat(length)), /too large/i);
      assert.equal(await bytes('large'), null);
    }
    assert.equal(await client.set('large', 'new'), true);
    assert.equal(await text('large'), 'new');
  },
  async 'keys up to their length'() {
    assert.equal(await client.set('k'.repeat(250), 'a'), true);
    assert.equal(await text('k'.repeat(250)), 'a');
    assert.equal(await client.set('with a blank', 'b'), true);
    assert.equal(await text('with a blank'), 'b');
  },
  async 'stats'() {
    const ask = (key) => new Promise((resolve, reject) => {
      client.statsWithKey(key, (error, _server, stats) => (error ? reject(error) : resolve(stats)));
    });
    const stats = await ask('');
    assert.match(stats.version, /^\d+\.\d+\.\d+$/);
    for (const name of ['curr_connections', 'limit_maxbytes', 'cmd_get', 'get_hits']) {
      assert.ok(Number(stats[name]) > 0, name);
    }
    assert.ok('maxbytes' in (await ask('settings')));
    assert.ok(Object.keys(await ask('items')).length > 3);
    assert.ok(Object.keys(await ask('slabs')).length > 3);
  },
  async 'resets stats'() {
    await new Promise((resolve, reject) => client.resetStats((error) => (error ? reject(error) : resolve())));
    await client.get('none');
    const stats = await new Promise((resolve) => client.stats((_error, _server, found) => resolve(found)));
    assert.equal(stats.get_misses, '1');
  },
  async 'flushes and quits'() {
    await client.set('k', 'a');
    assert.ok(await client.flush());
    assert.equal(await bytes('k'), null);
    const other = memjs.Client.create(server, options);
    assert.equal(await other.set('k', 'b'), true);
    other.quit();
    assert.equal(await text('k'), 'b');
  },
});
