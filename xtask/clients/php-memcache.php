<?php
// php-memcache (PECL), text or binary protocol: php php-memcache.php HOST PORT text|binary

declare(strict_types=1);

require __DIR__ . '/checks.php';

[, $host, $port, $protocol] = $argv;
define('IS_BINARY', $protocol === 'binary');
ini_set('memcache.protocol', IS_BINARY ? 'binary' : 'ascii');
// The extension sets a property that PHP 8.2 would like declared.
error_reporting(E_ALL & ~E_DEPRECATED);

$connect = function () use ($host, $port): Memcache {
    $client = new Memcache();
    same($client->addServer($host, (int) $port, false), true);
    return $client;
};
$client = $connect();

// What is refused over binary makes this client give up the server, with a notice: another instance asks.
$refused = function (callable $request) use ($connect): void {
    same(@$request($connect()), false);
};

run_checks("php-memcache-$protocol", [
    'sets and gets' => function () use ($client) {
        same($client->flush(), true);
        same($client->get('k'), false);
        foreach (['text', '', 42, 1.5, true, ['a' => [1, 2]]] as $value) {
            same($client->set('k', $value), true);
            same($client->get('k'), $value);
        }
    },
    'gets many' => function () use ($client) {
        $pairs = [];
        for ($index = 0; $index < 100; $index++) {
            $pairs["m$index"] = "v$index";
            same($client->set("m$index", "v$index"), true);
        }
        $found = $client->get([...array_keys($pairs), 'none']);
        ksort($found);
        ksort($pairs);
        same($found, $pairs);
        same($client->set(['s1' => 'a', 's2' => 'b'], null), true);
        same($client->get(['s1', 's2']), ['s1' => 'a', 's2' => 'b']);
    },
    'adds and replaces' => function () use ($client, $refused) {
        $client->delete('k');
        $refused(fn ($client) => $client->replace('k', 'a'));
        same($client->add('k', 'b'), true);
        $refused(fn ($client) => $client->add('k', 'c'));
        same($client->replace('k', 'd'), true);
        same($client->get('k'), 'd');
    },
    'appends and prepends' => function () use ($client, $refused) {
        $client->delete('k');
        $refused(fn ($client) => $client->append('k', 'x'));
        $client->set('k', 'b');
        same($client->append('k', 'c'), true);
        same($client->prepend('k', 'a'), true);
        same($client->get('k'), 'abc');
    },
    'compares and swaps' => function () use ($client, $refused) {
        $client->set('k', 'a');
        $flags = null;
        $cas = null;
        same($client->get('k', $flags, $cas), 'a');
        same($client->cas('k', 'b', 0, 0, $cas), true);
        $refused(fn ($client) => $client->cas('k', 'c', 0, 0, $cas));
        same($client->get('k'), 'b');
    },
    'counts' => function () use ($client, $refused) {
        $client->delete('n');
        $refused(fn ($client) => $client->increment('n'));
        $client->set('n', 10);
        same($client->increment('n', 5), 15);
        same($client->decrement('n', 6), 9);
        same($client->decrement('n', 100), 0);
    },
    'expires' => function () use ($client) {
        $client->set('long', 'a', 0, 100);
        $client->set('k', 'a', 0, 1);
        until(fn () => $client->get('k') === false);
        same($client->get('long'), 'a');
        $client->set('k', 'a', 0, time() + 100);
        same($client->get('k'), 'a');
    },
    'deletes' => function () use ($client) {
        $client->set('k', 'a');
        same($client->delete('k'), true);
        same($client->delete('k'), false);
        same($client->get('k'), false);
    },
    'moves 900 KB' => function () use ($client) {
        same($client->set('large', large()), true);
        same($client->get('large') === large(), true);
        same($client->get(['large', 'none'])['large'] === large(), true);
    },
    'is refused more than 1 MB' => function () use ($client, $refused) {
        $client->set('large', 'old');
        $refused(fn ($client) => $client->set('large', too_large()));
        same($client->get('large'), false);
        same($client->set('large', 'new'), true);
        same($client->get('large'), 'new');
    },
    'keys up to their length' => function () use ($client) {
        same($client->set(str_repeat('k', 250), 'a'), true);
        same($client->get(str_repeat('k', 250)), 'a');
    },
    'compressed values' => function () use ($client) {
        same($client->set('z', str_repeat('a', 100000), MEMCACHE_COMPRESSED), true);
        same($client->get('z'), str_repeat('a', 100000));
    },
    'sessions' => function () use ($host, $port, $protocol) {
        check_sessions('memcache', "tcp://$host:$port", "session-$protocol");
    },
    'version and stats' => function () use ($client, $host, $port) {
        same(preg_match('/^\d+\.\d+\.\d+$/', $client->getVersion()), 1);
        if (IS_BINARY) {
            // The extension has no such requests in this protocol.
            same($client->getStats(), false);
            return;
        }
        $stats = $client->getStats();
        same(isset($stats['curr_connections'], $stats['limit_maxbytes']), true);
        same(isset($client->getExtendedStats('slabs')["$host:$port"]['active_slabs']), true);
    },
    'persistent connections' => function () use ($host, $port) {
        $other = new Memcache();
        same($other->pconnect($host, (int) $port), true);
        same($other->set('p', 'a'), true);
        same($other->get('p'), 'a');
        same($other->close(), true);
    },
    'flushes' => function () use ($client) {
        $client->set('k', 'a');
        same($client->flush(), true);
        same($client->get('k'), false);
        same($client->set('k', 'b'), true);
    },
]);
