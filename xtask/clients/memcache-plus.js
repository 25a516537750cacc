// memcache-plus of npm, text protocol: NODE_PATH=.../node_modules node memcache-plus.js HOST PORT

'use strict';

const MemcachePlus = require('memcache-plus');
const { assert, largeText, runChecks, until } = require('./checks.js');

const [host, port] = process.argv.slice(2);
const client = new MemcachePlus({ hosts: [`${host}:${port}`], maxValueSize: 4 << 20, netTimeout: 10000 });

runChecks('memcache-plus', {
  async 'sets and gets'() {
    await client.flush();
    assert.equal(await client.get('k'), null);
    // No empty ones, nor several lines: this client reads lines, and takes an empty one for the end.
    for (const value of ['text', 'ä', 42, true, { a: [1, null] }]) {
      await client.set('k', value);
      assert.deepEqual(await client.get('k'), value);
    }
  },
  async 'gets many'() {
    const expected = { none: null };
    for (let index = 0; index < 100; index++) {
      expected[`m${index}`] = `v${index}`;
      await client.set(`m${index}`, `v${index}`);
    }
    assert.deepEqual(await client.getMulti(Object.keys(expected)), expected);
    assert.deepEqual(await client.deleteMulti(['m1', 'none']), { m1: true, none: false });
    assert.deepEqual(await client.get(['m1', 'm2']), { m1: null, m2: 'v2' });
  },
  async 'many requests at once'() {
    const keys = Array.from({ length: 500 }, (_, index) => `c${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    assert.deepEqual(await Promise.all(keys.map((key) => client.get(key))), keys);
  },
  async 'adds and replaces'() {
    await client.delete('k');
    await assert.rejects(client.replace('k', 'a'), /it does not exist/);
    await client.add('k', 'b');
    await assert.rejects(client.add('k', 'c'), /it already exists/);
    assert.equal(await client.get('k'), 'b');
    await client.replace('k', 'd');
    assert.equal(await client.get('k'), 'd');
  },
  async 'appends and prepends'() {
    await client.delete('k');
    await assert.rejects(client.append('k', 'x'));
    await client.set('k', 'b');
    await client.append('k', 'c');
    await client.prepend('k', 'a');
    assert.equal(await client.get('k'), 'abc');
  },
  async 'compares and swaps'() {
    await client.set('k', 'a');
    const [value, cas] = await client.gets('k');
    assert.equal(value, 'a');
    assert.equal(await client.cas('k', 'b', cas), true);
    assert.equal(await client.cas('k', 'c', cas), false);
    assert.equal(await client.get('k'), 'b');
    assert.notEqual((await client.gets('k'))[1], cas);
    await client.delete('k');
    assert.notEqual(await client.cas('k', 'd', cas), true);
  },
  async 'counts'() {
    await client.delete('n');
    assert.ok(!(await client.incr('n')), 'a miss is no number');
    await client.set('n', '10');
    assert.equal(await client.incr('n', 5), 15);
    assert.equal(await client.decr('n', 6), 9);
    assert.equal(await client.decr('n', 100), 0);
    await client.set('n', 'word');
    await assert.rejects(client.incr('n'), /non-numeric/);
  },
  async 'expires'() {
    await client.set('long', 'a', 100);
    await client.set('k', 'a', 1);
    await until(async () => (await client.get('k')) === null);
    assert.equal(await client.get('long'), 'a');
  },
  async 'deletes'() {
    await client.set('k', 'a');
    assert.equal(await client.delete('k'), true);
    assert.equal(await client.delete('k'), false);
    assert.equal(await client.get('k'), null);
  },
  async 'moves 900 KB'() {
    await client.set('large', largeText);
    assert.ok((await client.get('large')) === largeText);
  },
  async 'compressed values'() {
    await client.set('z', largeText + largeText, { compressed: true });
    assert.ok((await client.get('z', { compressed: true })) === largeText + largeText);
  },
  async 'is refused more than 1 MB'() {
    for (const length of [1 << 20, (1 << 20) + 1, 3 << 20]) {
      await client.set('large', 'old');
      await assert.rejects(client.set('large', 'x'.repeat(length)), /too large/);
      assert.equal(await client.get('large'), null);
    }
    await client.set('large', 'new');
    assert.equal(await client.get('large'), 'new');
  },
  async 'keys up to their length'() {
    // One less than the server allows.
    await client.set('k'.repeat(249), 'a');
    assert.equal(await client.get('k'.repeat(249)), 'a');
  },
  async 'version, items and keys'() {
    assert.match(await client.version(), /\d+\.\d+\.\d+/);
    // memcached lists what its background thread has put aside.
    await until(async () => {
      const [items] = await client.items();
      assert.ok(items.slab_id > 0 && items.data.number > 0, JSON.stringify(items));
      const keys = await client.cachedump(items.slab_id, 0);
      return keys.some(({ key }) => key.length > 0);
    });
  },
  async 'flushes'() {
    await client.set('k', 'a');
    await client.flush();
    assert.equal(await client.get('k'), null);
    await client.set('k', 'b');
    assert.equal(await client.get('k'), 'b');
  },
});
