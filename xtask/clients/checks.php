<?php
// What the PHP suites share: named checks, counted, and conditions with a deadline.

declare(strict_types=1);

error_reporting(E_ALL);

/** Runs each check, prints a line for it, and ends the process with what came of all. */
function run_checks(string $name, array $checks): never
{
    $failed = 0;
    foreach ($checks as $label => $check) {
        try {
            $check();
            say("$name: $label: ok");
        } catch (Throwable $error) {
            $failed++;
            say("$name: $label: FAILED, line {$error->getTrace()[0]['line']}: {$error->getMessage()}");
        }
    }
    $passed = count($checks) - $failed;
    say("$name: $passed passed, $failed failed");
    exit($failed > 0 || $passed === 0 ? 1 : 0);
}

/** Writes a line beside PHP's own output: whose first byte would forbid sessions to begin. */
function say(string $line): void
{
    fwrite(STDOUT, "$line\n");
}

/** Fails unless both are the same value of the same type. */
function same(mixed $found, mixed $expected): void
{
    if ($found !== $expected) {
        throw new RuntimeException('expected ' . brief($expected) . ', found ' . brief($found));
    }
}

/** Fails unless the condition comes true within a time. */
function until(callable $condition, float $seconds = 10): void
{
    $deadline = microtime(true) + $seconds;
    while (!$condition()) {
        if (microtime(true) > $deadline) {
            throw new RuntimeException('it did not come true in time');
        }
        usleep(50000);
    }
}

/** PHP's sessions: kept by a handler at a place, found again, and gone once destroyed. */
function check_sessions(string $handler, string $place, string $id): void
{
    ini_set('session.save_handler', $handler);
    ini_set('session.save_path', $place);
    session_id($id);
    $open = fn () => session_start(['use_cookies' => 0, 'cache_limiter' => '']);
    same($open(), true);
    same($_SESSION, []);
    $_SESSION['cart'] = ['apples' => 3];
    same(session_write_close(), true);
    $_SESSION = [];
    same($open(), true);
    same($_SESSION, ['cart' => ['apples' => 3]]);
    same(session_destroy(), true);
    same($open(), true);
    same($_SESSION, []);
    same(session_write_close(), true);
}

function brief(mixed $value): string
{
    return substr(var_export($value, true), 0, 200);
}

/** 900 KB of every byte. */
function large(): string
{
    return str_repeat(implode('', array_map('chr', range(0, 255))), 3600);
}

function too_large(): string
{
    return random_bytes(1024 * 1024 + 1);
}
