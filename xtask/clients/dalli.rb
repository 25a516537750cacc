# Dalli 3, binary protocol: ruby dalli.rb HOST PORT

require 'dalli'
require_relative 'checks'

# What it could not do is the check's business; its log would only repeat it.
Dalli.logger.level = Logger::FATAL

address = ARGV.join(':')
options = { socket_timeout: 10, value_max_bytes: 4 * MEGABYTE, compress: false }
client = Dalli::Client.new(address, options)
# Texts as they are, for what the server itself reads or joins.
raw = { raw: true }

run_checks('dalli', {
  'sets and gets' => lambda {
    same(client.flush, [true])
    same(client.get('k'), nil)
    ['text', '', 42, 1 << 70, 1.5, true, nil, :symbol, { 'a' => [1, nil] }, "\r\nEND\r\n"].each do |value|
      same(client.set('k', value).is_a?(Integer), true)
      same(client.get('k'), value)
    end
  },
  'gets many' => lambda {
    pairs = (0...100).to_h { |index| ["m#{index}", "v#{index}"] }
    pairs.each { |key, value| client.set(key, value) }
    same(client.get_multi(*pairs.keys, 'none'), pairs)
    same(client.get_multi('none', 'nobody'), {})
    found = client.get_multi_cas('m1', 'none')
    same(found.keys, ['m1'])
    same(found['m1'].first, 'v1')
    same(found['m1'].last.positive?, true)
  },
  'sets and deletes quietly' => lambda {
    client.set('gone', 'a')
    client.multi do
      500.times { |index| client.set("q#{index}", index) }
      client.delete('gone')
      client.delete('none')
      client.add('q1', 'not stored')
      client.replace('none', 'not stored')
      client.incr('none', 1)
    end
    same(client.get_multi(*(0...500).map { |index| "q#{index}" }), (0...500).to_h { |index| ["q#{index}", index] })
    same(client.get('gone'), nil)
    same(client.get('none'), nil)
  },
  'fetches what is missing' => lambda {
    client.delete('k')
    same(client.fetch('k') { 'made' }, 'made')
    same(client.fetch('k') { raise 'it is there' }, 'made')
  },
  'adds and replaces' => lambda {
    client.delete('k')
    # What is stored answers with its CAS, a miss with 0.
    same(client.replace('k', 'a'), 0)
    same(client.add('k', 'b').is_a?(Integer), true)
    same(client.add('k', 'c'), false)
    same(client.get('k'), 'b')
    same(client.replace('k', 'd').is_a?(Integer), true)
    same(client.get('k'), 'd')
  },
  'appends and prepends' => lambda {
    client.delete('k')
    same(client.append('k', 'x'), false)
    same(client.prepend('k', 'x'), false)
    client.set('k', 'b', 0, raw)
    same(client.append('k', 'c'), true)
    same(client.prepend('k', 'a'), true)
    same(client.get('k', raw), 'abc')
  },
  'compares and swaps' => lambda {
    client.delete('k')
    same(client.cas('k') { raise 'nothing to swap' }, nil)
    client.set('k', 'a')
    found, cas = client.get_cas('k')
    same(found, 'a')
    changed = client.set_cas('k', 'b', cas)
    same(changed.is_a?(Integer) && changed != cas, true)
    same(client.set_cas('k', 'c', cas), false)
    same(client.get_cas('k'), ['b', changed])
    same(client.replace_cas('k', 'd', cas), false)
    same(client.replace_cas('k', 'd', changed).is_a?(Integer), true)
    same(client.cas('k') { |value| "#{value}e" }.is_a?(Integer), true)
    same(client.get('k'), 'de')
    # Somebody else comes between.
    same(client.cas('k') { client.set('k', 'theirs') && 'mine' }, false)
    same(client.get('k'), 'theirs')
  },
  'deletes what was not changed' => lambda {
    client.set('k', 'a')
    _, cas = client.get_cas('k')
    client.set('k', 'b')
    same(client.delete_cas('k', cas), false)
    same(client.get('k'), 'b')
    _, cas = client.get_cas('k')
    same(client.delete_cas('k', cas), true)
    same(client.delete_cas('k', cas), nil)
    same(client.get('k'), nil)
  },
  'counts' => lambda {
    client.delete('n')
    same(client.incr('n', 1), nil)
    same(client.decr('n', 1), nil)
    same(client.get('n'), nil)
    client.set('n', 10, 0, raw)
    same(client.incr('n', 5), 15)
    same(client.decr('n', 6), 9)
    same(client.decr('n', 100), 0)
    client.set('n', '18446744073709551615', 0, raw)
    same(client.incr('n', 2), 1)
    client.set('n', 'word', 0, raw)
    fails(Dalli::DalliError, 'Incr/decr on a non-numeric value') { client.incr('n', 1) }
    same(client.get('n', raw), 'word')
  },
  'counts from an initial value' => lambda {
    client.delete('n')
    same(client.incr('n', 3, 0, 40), 40)
    same(client.incr('n', 3, 0, 40), 43)
    same(client.get('n', raw), '43')
    client.delete('n')
    same(client.decr('n', 1, 1, 7), 7)
    until_true { client.get('n').nil? }
  },
  'touches and expires' => lambda {
    client.delete('k')
    same(client.touch('k', 10), nil)
    client.set('k', 'a', 1)
    same(client.touch('k', 100), true)
    client.set('probe', 'a', 1)
    until_true { client.get('probe').nil? }
    same(client.get('k'), 'a')
    same(client.touch('k', 1), true)
    until_true { client.get('k').nil? }
  },
  'gets and touches' => lambda {
    client.delete('k')
    same(client.gat('k', 10), nil)
    client.set('k', 'a', 1)
    same(client.gat('k', 100), 'a')
    client.set('probe', 'a', 1)
    until_true { client.get('probe').nil? }
    same(client.gat('k', 1), 'a')
    until_true { client.get('k').nil? }
  },
  'expires at a time' => lambda {
    # The client sends times as they are only when they are to come.
    soon = Time.now.to_i + 2
    client.set('soon', 'a', soon)
    client.set('later', 'a', soon + 100)
    same(client.get_multi('soon', 'later').size, 2)
    until_true { client.get('soon').nil? }
    same(client.get('later'), 'a')
  },
  'deletes' => lambda {
    client.set('k', 'a')
    same(client.delete('k'), true)
    same(client.delete('k'), nil)
    same(client.get('k'), nil)
  },
  'moves 900 KB' => lambda {
    client.set('large', LARGE)
    same(client.get('large') == LARGE, true)
    same(client.get_multi('none', 'large')['large'] == LARGE, true)
  },
  'is refused more than 1 MB' => lambda {
    [MEGABYTE, MEGABYTE + 1, 3 * MEGABYTE].each do |length|
      client.set('large', 'old')
      fails(Dalli::DalliError, 'Value too large') { client.set('large', 'x' * length, 0, raw) }
      same(client.get('large'), nil)
    end
    client.set('large', 'new')
    same(client.get('large'), 'new')
  },
  'keys up to their length' => lambda {
    client.set('k' * 250, 'a')
    same(client.get('k' * 250), 'a')
    # Over the binary protocol blanks are bytes like others.
    client.set('with a blank', 'c')
    same(client.get('with a blank'), 'c')
  },
  'compressed values' => lambda {
    compressing = Dalli::Client.new(address, socket_timeout: 10)
    compressing.set('z', 'a' * 2 * MEGABYTE)
    same(compressing.get('z'), 'a' * 2 * MEGABYTE)
    compressing.close
  },
  'namespaces' => lambda {
    one = Dalli::Client.new(address, namespace: 'one')
    client.delete('k')
    one.set('k', 'a')
    same([client.get('k'), client.get('one:k'), one.get_multi('k')], [nil, 'a', { 'k' => 'a' }])
    one.close
  },
  'version and stats' => lambda {
    same(client.version[address].match?(/\A\d+\.\d+\.\d+\z/), true)
    stats = client.stats[address]
    same(stats['version'], client.version[address])
    %w[curr_connections limit_maxbytes cmd_get get_hits].each { |name| same(stats[name].to_i.positive?, true) }
    %i[settings items slabs].each { |topic| same(client.stats(topic)[address].size > 3, true) }
    same(client.stats(:settings)[address].key?('maxbytes'), true)
    same(client.reset_stats, [true])
    same(client.stats[address]['get_hits'], '0')
  },
  'flushes' => lambda {
    client.set('k', 'a')
    same(client.flush, [true])
    same(client.get('k'), nil)
    client.set('k', 'b')
    same(client.get('k'), 'b')
    client.close
    same(client.get('k'), 'b')
  }
})
