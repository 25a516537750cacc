// What the suites of npm's clients share: named checks, counted, and conditions with a deadline.

'use strict';

const assert = require('node:assert/strict');
const { setTimeout: pause } = require('node:timers/promises');

// Runs each check, prints a line for it, and ends the process with what came of all.
async function runChecks(name, checks) {
  let passed = 0;
  let failed = 0;
  for (const [label, check] of Object.entries(checks)) {
    try {
      await check();
      passed++;
      console.log(`${name}: ${label}: ok`);
    } catch (error) {
      failed++;
      console.log(`${name}: ${label}: FAILED, ${String(error.stack || error).slice(0, 800)}`);
    }
  }
  console.log(`${name}: ${passed} passed, ${failed} failed`);
  // Clients may leave timers behind (some look again after servers that they shunned), which would keep the process alive.
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

// Waits until the condition comes true, for 10 seconds at most.
async function until(condition) {
  const deadline = Date.now() + 10000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it did not come true in time');
    await pause(50);
  }
}

// 900 KB of ASCII, for clients through which values travel as text.
const largeText = Array.from({ length: 900 << 10 }, (_, index) => String.fromCharCode(32 + ((index * 7) % 95))).join('');

module.exports = { assert, largeText, runChecks, until };
