# What the Ruby suites share: named checks, counted, and conditions with a deadline.

# Runs each check, prints a line for it, and ends the process with what came of all.
def run_checks(name, checks)
  $stdout.sync = true
  failed = checks.count do |label, check|
    check.call
    puts "#{name}: #{label}: ok"
    false
  rescue StandardError => e
    puts "#{name}: #{label}: FAILED, #{e.class}: #{e.message}", e.backtrace.first(5)
    true
  end
  passed = checks.size - failed
  puts "#{name}: #{passed} passed, #{failed} failed"
  exit(failed.zero? && passed.positive?)
end

# Fails unless both are the same.
def same(found, expected)
  raise "expected #{expected.inspect[0, 200]}, found #{found.inspect[0, 200]}" unless found == expected
end

# Fails unless the block raises such an error, with these words in it.
def fails(error, words)
  yield
rescue error => e
  raise unless e.message.include?(words)
else
  raise "no #{error} about #{words}"
end

# Fails unless the condition comes true within 10 seconds.
def until_true
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 10
  until yield
    raise 'it did not come true in time' if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

    sleep 0.05
  end
end

# 900 KB of every byte.
LARGE = ((0..255).to_a.pack('C*') * 3600).freeze
MEGABYTE = 1 << 20
