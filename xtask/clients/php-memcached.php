<?php
// php-memcached (libmemcached), text or binary protocol: php php-memcached.php HOST PORT text|binary

declare(strict_types=1);

require __DIR__ . '/checks.php';

[, $host, $port, $protocol] = $argv;
define('IS_BINARY', $protocol === 'binary');

function connect(string $host, string $port, array $options = []): Memcached
{
    $client = new Memcached();
    $client->setOption(Memcached::OPT_BINARY_PROTOCOL, IS_BINARY);
    $client->setOption(Memcached::OPT_COMPRESSION, false);
    foreach ($options as $option => $value) {
        same($client->setOption($option, $value), true);
    }
    same($client->addServer($host, (int) $port), true);
    return $client;
}

$client = connect($host, $port);

run_checks("php-memcached-$protocol", [
    'sets and gets' => function () use ($client) {
        same($client->flush(), true);
        same($client->get('k'), false);
        same($client->getResultCode(), Memcached::RES_NOTFOUND);
        foreach (['text', '', 42, 1.5, true, false, null, ['a' => [1, 2]]] as $value) {
            same($client->set('k', $value), true);
            same($client->get('k'), $value);
            same($client->getResultCode(), Memcached::RES_SUCCESS);
        }
    },
    'sets and gets many' => function () use ($client) {
        $pairs = [];
        for ($index = 0; $index < 100; $index++) {
            $pairs["m$index"] = "v$index";
        }
        same($client->setMulti($pairs), true);
        same($client->getMulti([...array_keys($pairs), 'none']), $pairs);
        same($client->getDelayed(['m1', 'm2'], true), true);
        same(count($client->fetchAll()), 2);
        same($client->deleteMulti(['m1', 'none']), ['m1' => true, 'none' => Memcached::RES_NOTFOUND]);
        same($client->getMulti(['m1', 'm2']), ['m2' => 'v2']);
    },
    'adds and replaces' => function () use ($client) {
        $client->delete('k');
        // The binary protocol says why nothing was stored.
        same($client->replace('k', 'a'), false);
        $missing = IS_BINARY ? Memcached::RES_NOTFOUND : Memcached::RES_NOTSTORED;
        same($client->getResultCode(), $missing);
        same($client->add('k', 'b'), true);
        same($client->add('k', 'c'), false);
        $existing = IS_BINARY ? Memcached::RES_DATA_EXISTS : Memcached::RES_NOTSTORED;
        same($client->getResultCode(), $existing);
        same($client->replace('k', 'd'), true);
        same($client->get('k'), 'd');
    },
    'appends and prepends' => function () use ($client) {
        $client->delete('k');
        same($client->append('k', 'x'), false);
        $client->set('k', 'b');
        same($client->append('k', 'c'), true);
        same($client->prepend('k', 'a'), true);
        same($client->get('k'), 'abc');
    },
    'compares and swaps' => function () use ($client) {
        $client->set('k', 'a');
        $found = $client->get('k', null, Memcached::GET_EXTENDED);
        same($found['value'], 'a');
        same($client->cas($found['cas'], 'k', 'b'), true);
        same($client->cas($found['cas'], 'k', 'c'), false);
        same($client->getResultCode(), Memcached::RES_DATA_EXISTS);
        same($client->get('k'), 'b');
        $client->delete('k');
        same($client->cas($found['cas'], 'k', 'c'), false);
        same($client->getResultCode(), Memcached::RES_NOTFOUND);
    },
    'counts' => function () use ($client) {
        $client->delete('n');
        same($client->increment('n'), false);
        same($client->getResultCode(), Memcached::RES_NOTFOUND);
        $client->set('n', 10);
        same($client->increment('n', 5), 15);
        same($client->decrement('n', 6), 9);
        same($client->decrement('n', 100), 0);
        $client->set('n', 'word');
        same($client->increment('n'), false);
        // libmemcached does not know this status of the binary protocol.
        $unknown = Memcached::RES_UNKNOWN_READ_FAILURE;
        same($client->getResultCode(), IS_BINARY ? $unknown : Memcached::RES_CLIENT_ERROR);
    },
    'counts from an initial value' => function () use ($client) {
        $client->delete('n');
        if (!IS_BINARY) {
            // The client has no such request in this protocol, and sends none.
            same(@$client->increment('n', 3, 40), false);
            same($client->get('n'), false);
            return;
        }
        same($client->increment('n', 3, 40), 40);
        same($client->increment('n', 3, 40), 43);
        same($client->decrement('n', 13, 7), 30);
        $client->delete('n');
        same($client->decrement('n', 1, 7, 1), 7);
        until(fn () => $client->get('n') === false);
    },
    'keeps flags' => function () use ($client) {
        // 16 bits of the flags are the application's, in this client.
        foreach ([0, 1, 42, 65535] as $flags) {
            same($client->setOption(Memcached::OPT_USER_FLAGS, $flags), true);
            same($client->set('k', 'a'), true);
            same($client->get('k', null, Memcached::GET_EXTENDED)['flags'], $flags);
        }
        same($client->setOption(Memcached::OPT_USER_FLAGS, -1), true);
    },
    'touches and expires' => function () use ($client) {
        $client->delete('k');
        same($client->touch('k', 10), false);
        $client->set('k', 'a', 1);
        same($client->touch('k', 100), true);
        $client->set('probe', 'a', 1);
        until(fn () => $client->get('probe') === false);
        same($client->get('k'), 'a');
        same($client->touch('k', 1), true);
        until(fn () => $client->get('k') === false);
        $client->set('k', 'a', time() + 100);
        same($client->get('k'), 'a');
    },
    'deletes' => function () use ($client) {
        $client->set('k', 'a');
        same($client->delete('k'), true);
        same($client->delete('k'), false);
        same($client->getResultCode(), Memcached::RES_NOTFOUND);
    },
    'moves 900 KB' => function () use ($client) {
        same($client->set('large', large()), true);
        same($client->get('large') === large(), true);
        same($client->getMulti(['large', 'none'])['large'] === large(), true);
    },
    'is refused more than 1 MB' => function () use ($client) {
        $client->set('large', 'old');
        same($client->set('large', too_large()), false);
        same($client->getResultCode(), Memcached::RES_E2BIG);
        same($client->get('large'), false);
        same($client->set('large', 'new'), true);
        same($client->get('large'), 'new');
    },
    'keys up to their length' => function () use ($client) {
        same($client->set(str_repeat('k', 250), 'a'), true);
        same($client->get(str_repeat('k', 250)), 'a');
        same($client->set(str_repeat('k', 251), 'a'), false);
    },
    'noreply and buffered writes' => function () use ($host, $port, $client) {
        $quiet = connect($host, $port, [Memcached::OPT_NOREPLY => true]);
        same($quiet->set('quiet', 'a'), true);
        until(fn () => $client->get('quiet') === 'a');
        $buffered = connect($host, $port, [Memcached::OPT_BUFFER_WRITES => true]);
        for ($index = 0; $index < 1000; $index++) {
            $buffered->set("buffered$index", $index);
        }
        same($buffered->get('buffered999'), 999);
        same($client->get('buffered0'), 0);
    },
    'compressed values' => function () use ($host, $port) {
        $compressed = connect($host, $port, [Memcached::OPT_COMPRESSION => true]);
        same($compressed->set('z', str_repeat('a', 100000)), true);
        same($compressed->get('z'), str_repeat('a', 100000));
    },
    'sessions' => function () use ($host, $port, $protocol) {
        ini_set('memcached.sess_binary_protocol', IS_BINARY ? '1' : '0');
        check_sessions('memcached', "$host:$port", "session-$protocol");
    },
    'version and stats' => function () use ($client, $host, $port) {
        same(preg_match('/^\d+\.\d+\.\d+$/', $client->getVersion()["$host:$port"]), 1);
        $stats = $client->getStats()["$host:$port"];
        same($stats['curr_connections'] >= 1, true);
        same(isset($stats['limit_maxbytes'], $stats['get_hits']), true);
        same(isset($client->getStats('settings')["$host:$port"]['maxbytes']), true);
    },
    'flushes' => function () use ($client) {
        $client->set('k', 'a');
        same($client->flush(), true);
        same($client->get('k'), false);
        same($client->quit(), true);
        same($client->set('k', 'b'), true);
    },
]);
