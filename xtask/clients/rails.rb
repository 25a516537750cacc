# Rails' MemCacheStore over Dalli 3, binary protocol: ruby rails.rb HOST PORT

require 'active_support'
require 'active_support/cache'
require 'active_support/cache/mem_cache_store'
require_relative 'checks'

store = ActiveSupport::Cache::MemCacheStore.new(ARGV.join(':'), namespace: 'app', socket_timeout: 10)

run_checks('rails', {
  'writes and reads' => lambda {
    store.clear
    same(store.read('k'), nil)
    ['text', '', 42, nil, { 'a' => [1, nil] }].each do |value|
      same(store.write('k', value).present?, true)
      same(store.read('k'), value)
      same(store.exist?('k'), true)
    end
  },
  'fetches' => lambda {
    store.delete('k')
    same(store.fetch('k') { 'made' }, 'made')
    same(store.fetch('k') { raise 'it is there' }, 'made')
    same(store.fetch('k', force: true) { 'again' }, 'again')
  },
  'reads and writes many' => lambda {
    pairs = (0...100).to_h { |index| ["m#{index}", index] }
    store.write_multi(pairs)
    same(store.read_multi(*pairs.keys, 'none'), pairs)
    same(store.fetch_multi('m1', 'f1') { |key| "made #{key}" }, { 'm1' => 1, 'f1' => 'made f1' })
    same(store.delete_multi(%w[m1 m2 none]), 2)
    same(store.read_multi('m1', 'm2', 'm3'), { 'm3' => 3 })
  },
  'writes unless it exists' => lambda {
    store.delete('k')
    same(store.write('k', 'a', unless_exist: true).present?, true)
    same(store.write('k', 'b', unless_exist: true).present?, false)
    same(store.read('k'), 'a')
  },
  'counts' => lambda {
    store.delete('n')
    store.write('n', 10, raw: true)
    same(store.increment('n', 5), 15)
    same(store.decrement('n', 6), 9)
    same(store.decrement('n', 100), 0)
    same(store.read('n', raw: true).strip, '0')
  },
  'expires' => lambda {
    store.write('k', 'a', expires_in: 1)
    store.write('long', 'a', expires_in: 100)
    until_true { store.read('k').nil? }
    same(store.read('long'), 'a')
  },
  'deletes' => lambda {
    store.write('k', 'a')
    same(store.delete('k'), true)
    same(store.delete('k').present?, false)
    same(store.exist?('k'), false)
  },
  'keys of any length' => lambda {
    key = 'ä ' * 400
    store.write(key, 'a')
    same(store.read(key), 'a')
  },
  'moves 900 KB' => lambda {
    store.write('large', LARGE, compress: false)
    same(store.read('large') == LARGE, true)
  },
  'is refused more than 1 MB' => lambda {
    store.write('large', 'old')
    noise = Random.new(1).bytes(MEGABYTE + 1)
    same(store.write('large', noise, compress: false).present?, false)
    store.write('large', 'new')
    same(store.read('large'), 'new')
  },
  'stats' => lambda {
    same(store.stats.values.first['limit_maxbytes'].to_i.positive?, true)
  },
  'clears' => lambda {
    store.write('k', 'a')
    store.clear
    same(store.read('k'), nil)
  }
})
