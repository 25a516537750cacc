# Cache::Memcached::Fast: perl cache-memcached-fast.pl HOST PORT

use strict;
use warnings;

use Cache::Memcached::Fast;
use Time::HiRes qw(sleep time);

my ($host, $port) = @ARGV;
my $name = 'cache-memcached-fast';

sub connect_to {
    return Cache::Memcached::Fast->new({
        servers => ["$host:$port"],
        max_size => 2 * 1024 * 1024,
        io_timeout => 10,
        connect_timeout => 5,
        @_,
    });
}

my $client = connect_to();
my $large = join('', map { chr } 0 .. 255) x 3600;

# Fails unless both are the same text, or both undefined.
sub same {
    my ($found, $expected) = @_;
    return if !defined $found && !defined $expected;
    return if defined $found && defined $expected && $found eq $expected;
    my ($line) = (caller)[2];
    my ($f, $e) = map { defined $_ ? '"' . substr($_, 0, 200) . '"' : 'nothing' } $found, $expected;
    die "line $line: expected $e, found $f\n";
}

# Fails unless the condition comes true within 10 seconds.
sub until_true {
    my ($condition) = @_;
    my $deadline = time + 10;
    while (!$condition->()) {
        die "it did not come true in time\n" if time > $deadline;
        sleep 0.05;
    }
}

my @checks = (
    'sets and gets' => sub {
        same($client->flush_all->{"$host:$port"}, 1);
        same($client->get('k'), undef);
        same($client->set('k', 'value'), 1);
        same($client->get('k'), 'value');
        same($client->set('k', ''), 1);
        same($client->get('k'), '');
        same($client->set('k', { list => [1, 2, 3] }), 1);
        same(join(',', @{ $client->get('k')->{list} }), '1,2,3');
    },
    'sets and gets many' => sub {
        my @pairs = map { ["m$_", "v$_"] } 0 .. 99;
        same(scalar(grep { $_ } $client->set_multi(@pairs)), 100);
        my $found = $client->get_multi((map { $_->[0] } @pairs), 'none');
        same(scalar(keys %$found), 100);
        same($found->{m42}, 'v42');
        my @deleted = $client->delete_multi('m1', 'none');
        same($deleted[0], 1);
        same($deleted[1], '');
    },
    'adds and replaces' => sub {
        $client->delete('k');
        same($client->replace('k', 'a'), '');
        same($client->add('k', 'b'), 1);
        same($client->add('k', 'c'), '');
        same($client->replace('k', 'd'), 1);
        same($client->get('k'), 'd');
    },
    'appends and prepends' => sub {
        $client->delete('k');
        same($client->append('k', 'x'), '');
        $client->set('k', 'b');
        same($client->append('k', 'c'), 1);
        same($client->prepend('k', 'a'), 1);
        same($client->get('k'), 'abc');
    },
    'compares and swaps' => sub {
        $client->set('k', 'a');
        my ($cas, $value) = @{ $client->gets('k') };
        same($value, 'a');
        same($client->cas('k', $cas, 'b'), 1);
        same($client->cas('k', $cas, 'c'), '');
        same($client->get('k'), 'b');
        same($client->cas('none', $cas, 'c'), '');
        same(scalar(keys %{ $client->gets_multi('k', 'none') }), 1);
    },
    'counts' => sub {
        $client->delete('n');
        same($client->incr('n'), '');
        $client->set('n', 10);
        same($client->incr('n', 5), 15);
        same($client->decr('n', 6), 9);
        same($client->decr('n', 100), '0E0');
        my %found = %{ $client->incr_multi(['n', 3]) };
        same($found{n}, 3);
    },
    'touches and expires' => sub {
        $client->delete('k');
        same($client->touch('k', 10), '');
        $client->set('k', 'a', 1);
        same($client->touch('k', 100), 1);
        $client->set('probe', 'a', 1);
        until_true(sub { !defined $client->get('probe') });
        same($client->get('k'), 'a');
        same($client->touch('k', 1), 1);
        until_true(sub { !defined $client->get('k') });
    },
    'gets and touches' => sub {
        $client->set('k', 'a', 100);
        same($client->gat(100, 'k'), 'a');
        same($client->gats(1, 'k')->[1], 'a');
        until_true(sub { !defined $client->get('k') });
        same($client->gat(1, 'k'), undef);
        same(scalar(keys %{ $client->gat_multi(10, 'm2', 'm3', 'none') }), 2);
    },
    'deletes' => sub {
        $client->set('k', 'a');
        same($client->delete('k'), 1);
        same($client->delete('k'), '');
        same($client->get('k'), undef);
    },
    'asks for no reply where none is used' => sub {
        $client->set("quiet$_", $_) for 0 .. 99;
        $client->incr('quiet7', 3);
        $client->delete('quiet8');
        $client->nowait_push;
        my $found = $client->get_multi(map {"quiet$_"} 0 .. 99);
        same(scalar(keys %$found), 99);
        same($found->{quiet7}, 10);
    },
    'moves 900 KB' => sub {
        same($client->set('large', $large), 1);
        same($client->get('large') eq $large, 1);
        same($client->get_multi('large', 'none')->{large} eq $large, 1);
    },
    'is refused more than 1 MB' => sub {
        $client->set('large', 'old');
        same($client->set('large', 'x' x (1024 * 1024 + 1)), undef);
        same($client->get('large'), undef);
        same($client->set('large', 'new'), 1);
        same($client->get('large'), 'new');
    },
    'keys up to their length' => sub {
        same($client->set('k' x 250, 'a'), 1);
        same($client->get('k' x 250), 'a');
    },
    'a namespace' => sub {
        my $other = connect_to(namespace => 'space:');
        same($other->set('k', 'inside'), 1);
        same($client->get('space:k'), 'inside');
    },
    'versions' => sub {
        same($client->server_versions->{"$host:$port"} =~ /^\d+\.\d+\.\d+$/ ? 1 : 0, 1);
    },
    'flushes' => sub {
        $client->set('k', 'a');
        same($client->flush_all->{"$host:$port"}, 1);
        same($client->get('k'), undef);
        same($client->set('k', 'b'), 1);
        $client->disconnect_all;
        same($client->get('k'), 'b');
    },
);

my ($passed, $failed) = (0, 0);
while (my ($label, $check) = splice @checks, 0, 2) {
    if (eval { $check->(); 1 }) {
        $passed++;
        print "$name: $label: ok\n";
    }
    else {
        $failed++;
        chomp(my $error = $@);
        print "$name: $label: FAILED, $error\n";
    }
}
print "$name: $passed passed, $failed failed\n";
exit($failed || !$passed ? 1 : 0);
