// `memcache` of npm, text protocol: NODE_PATH=.../node_modules node npm-memcache.js HOST PORT

'use strict';

const { Memcache } = require('memcache');
const { assert, largeText, runChecks, until } = require('./checks.js');

const [host, port] = process.argv.slice(2);
const client = new Memcache({ nodes: [`${host}:${port}`], timeout: 10000 });
// Told as events, and by what the calls give.
client.on('error', () => {});

runChecks('npm-memcache', {
  async 'sets and gets'() {
    assert.equal(await client.flush(), true);
    assert.equal(await client.get('k'), undefined);
    for (const value of ['text', '', 'ä', '{"a":[1,null]}']) {
      assert.equal(await client.set('k', value), true);
      assert.equal(await client.get('k'), value);
    }
  },
  async 'gets many'() {
    const expected = new Map();
    for (let index = 0; index < 100; index++) {
      expected.set(`m${index}`, `v${index}`);
      assert.equal(await client.set(`m${index}`, `v${index}`), true);
    }
    assert.deepEqual(await client.gets([...expected.keys(), 'none']), expected);
    assert.deepEqual(await client.gets(['none', 'nobody']), new Map());
  },
  async 'many requests at once'() {
    const keys = Array.from({ length: 500 }, (_, index) => `c${index}`);
    await Promise.all(keys.map((key) => client.set(key, key)));
    assert.deepEqual(await Promise.all(keys.map((key) => client.get(key))), keys);
  },
  async 'adds and replaces'() {
    await client.delete('k');
    assert.equal(await client.replace('k', 'a'), false);
    assert.equal(await client.add('k', 'b'), true);
    assert.equal(await client.add('k', 'c'), false);
    assert.equal(await client.get('k'), 'b');
    assert.equal(await client.replace('k', 'd'), true);
    assert.equal(await client.get('k'), 'd');
  },
  async 'appends and prepends'() {
    await client.delete('k');
    assert.equal(await client.append('k', 'x'), false);
    assert.equal(await client.prepend('k', 'x'), false);
    await client.set('k', 'b');
    assert.equal(await client.append('k', 'c'), true);
    assert.equal(await client.prepend('k', 'a'), true);
    assert.equal(await client.get('k'), 'abc');
  },
  async 'compares and swaps'() {
    await client.set('k', 'a');
    const [node] = await client.getNodesByKey('k');
    // The client keeps the token of what it got to itself: only its raw command shows the reply.
    const { values } = await node.command('gets k', { isMultiline: true, requestedKeys: ['k'] });
    assert.deepEqual(values, ['a']);
    assert.equal(await client.cas('k', 'b', '18446744073709551615'), false);
    assert.equal(await client.get('k'), 'a');
    assert.equal(await client.cas('none', 'b', '1'), false);
  },
  async 'counts'() {
    await client.delete('n');
    assert.equal(await client.incr('n'), undefined);
    await client.set('n', '10');
    assert.equal(await client.incr('n', 5), 15);
    assert.equal(await client.decr('n', 6), 9);
    assert.equal(await client.decr('n', 100), 0);
  },
  async 'touches and expires'() {
    await client.delete('k');
    assert.equal(await client.touch('k', 10), false);
    await client.set('k', 'a', 1);
    assert.equal(await client.touch('k', 100), true);
    await client.set('probe', 'a', 1);
    await until(async () => (await client.get('probe')) === undefined);
    assert.equal(await client.get('k'), 'a');
    assert.equal(await client.touch('k', 1), true);
    await until(async () => (await client.get('k')) === undefined);
  },
  async 'deletes'() {
    await client.set('k', 'a');
    assert.equal(await client.delete('k'), true);
    assert.equal(await client.delete('k'), false);
    assert.equal(await client.get('k'), undefined);
  },
  async 'moves 900 KB'() {
    assert.equal(await client.set('large', largeText), true);
    assert.ok((await client.get('large')) === largeText);
  },
  async 'is refused more than 1 MB'() {
    await client.set('large', 'old');
    // More than this the client does not send.
    assert.equal(await client.set('large', 'x'.repeat(1 << 20)).catch(() => false), false);
    assert.equal(await client.get('large'), undefined);
    assert.equal(await client.set('large', 'new'), true);
    assert.equal(await client.get('large'), 'new');
  },
  async 'keys up to their length'() {
    assert.equal(await client.set('k'.repeat(250), 'a'), true);
    assert.equal(await client.get('k'.repeat(250)), 'a');
  },
  async 'version and stats'() {
    const [version] = [...(await client.version()).values()];
    assert.match(version, /^VERSION \d+\.\d+\.\d+$/);
    const [stats] = [...(await client.stats()).values()];
    assert.equal(`VERSION ${stats.version}`, version);
    for (const name of ['curr_connections', 'limit_maxbytes', 'cmd_get', 'get_hits']) {
      assert.ok(Number(stats[name]) > 0, name);
    }
    for (const topic of ['settings', 'items', 'slabs']) {
      const [found] = [...(await client.stats(topic)).values()];
      assert.ok(Object.keys(found).length > 3, topic);
    }
  },
  async 'flushes and comes back'() {
    await client.set('k', 'a');
    assert.equal(await client.flush(), true);
    assert.equal(await client.get('k'), undefined);
    await client.set('k', 'b');
    await client.reconnect();
    assert.equal(await client.get('k'), 'b');
  },
});
