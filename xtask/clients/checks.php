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
            echo "$name: $label: ok\n";
        } catch (Throwable $error) {
            $failed++;
            echo "$name: $label: FAILED, line {$error->getTrace()[0]['line']}: {$error->getMessage()}\n";
        }
    }
    $passed = count($checks) - $failed;
    echo "$name: $passed passed, $failed failed\n";
    exit($failed > 0 || $passed === 0 ? 1 : 0);
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
