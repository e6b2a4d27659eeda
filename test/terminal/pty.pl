# A pseudo-terminal whose reader reads as fast as it is told: perl pty.pl ROWS COLUMNS COMMAND...
# Standard input is what is typed, standard output what the terminal gets. Lines on descriptor 3 set the pace in bytes a
# second (0: nothing is read; -1: all that comes); the end of descriptor 3 is the end of the terminal.
use strict;
use warnings;
use Fcntl;
use POSIX qw(setsid WNOHANG);
use Time::HiRes qw(time);

# asm-generic/ioctls.h, asm-generic/termbits.h
my ($TIOCSCTTY, $TIOCSWINSZ, $TIOCSPTLCK, $TIOCGPTN) = (0x540E, 0x5414, 0x40045431, 0x80045430);
my ($rows, $columns, @command) = @ARGV;
sysopen(my $master, '/dev/ptmx', O_RDWR | O_NOCTTY) or die "ptmx: $!\n";
my ($unlock, $number) = (pack('i', 0), pack('i', 0));
ioctl($master, $TIOCSPTLCK, $unlock) or die "unlock: $!\n";
ioctl($master, $TIOCGPTN, $number) or die "number: $!\n";
my $name = '/dev/pts/' . unpack('i', $number);

my $pid = fork() // die "fork: $!\n";
if ($pid == 0) {
    setsid();
    sysopen(my $slave, $name, O_RDWR) or die "$name: $!\n";
    ioctl($slave, $TIOCSCTTY, 0);
    my $size = pack('S4', $rows, $columns, 0, 0);
    ioctl($slave, $TIOCSWINSZ, $size) or die "size: $!\n";
    POSIX::dup2(fileno($slave), $_) for 0 .. 2;
    POSIX::close($_) for 3 .. 20;
    exec @command or die "$command[0]: $!\n";
}
print STDERR "pid $pid\n";
open(my $pace, '<&=', 3) or die "descriptor 3: $!\n";
binmode($_) for $master, \*STDIN, \*STDOUT, $pace;

my ($rate, $credit, $then) = (-1, 0, time);
my ($typing, $ended) = (1, 0);
while (!$ended) {
    my $now = time;
    $credit += ($now - $then) * $rate if $rate > 0;
    $credit = $rate / 5 if $rate > 0 && $credit > $rate / 5;
    $then = $now;
    my $bits = '';
    vec($bits, fileno($pace), 1) = 1;
    vec($bits, 0, 1) = 1 if $typing;
    vec($bits, fileno($master), 1) = 1 if $rate < 0 || ($rate > 0 && $credit >= 1);
    my $ready = select(my $found = $bits, undef, undef, $rate > 0 ? 0.02 : 0.2);
    if ($ready > 0) {
        if (vec($found, fileno($pace), 1)) {
            my $line = '';
            last unless sysread($pace, $line, 64);
            ($rate) = $line =~ /(-?\d+)\s*\z/;
            $credit = 0;
        }
        if ($typing && vec($found, 0, 1)) {
            my $keys = '';
            if (sysread(STDIN, $keys, 4096)) { syswrite($master, $keys) }
            else { $typing = 0 }
        }
        if (vec($found, fileno($master), 1)) {
            my $most = $rate > 0 ? int($credit) : 65536;
            my $size = sysread($master, my $bytes, $most < 1 ? 1 : $most);
            if (!$size) { $ended = 1 }
            else { $credit -= $size if $rate > 0; syswrite(STDOUT, $bytes) }
        }
    }
    # A program that has ended on a terminal that is not read is seen by its end alone.
    last if $rate == 0 && waitpid($pid, WNOHANG) == $pid;
}
close($master);
waitpid($pid, 0) unless $? != -1 && kill(0, $pid) == 0;
my $status = $?;
print STDERR $status & 127 ? "signal " . ($status & 127) . "\n" : "exit " . ($status >> 8) . "\n";
