# A TCP listener that is bound to an interface (SO_BINDTODEVICE, socket(7)), which Node cannot do: answers whoever connects with a line.
#   perl bound.pl ADDRESS PORT INTERFACE     prints `ready` once it listens
use strict;
use warnings;
use Socket qw(:DEFAULT AF_INET6 inet_pton pack_sockaddr_in6 SOL_SOCKET);

my ($address, $port, $interface) = @ARGV;
my $family = $address =~ /:/ ? AF_INET6 : AF_INET;
my $place = inet_pton($family, $address);
socket(my $listener, $family, SOCK_STREAM, 0) or die "socket: $!\n";
setsockopt($listener, SOL_SOCKET, 25, $interface) or die "SO_BINDTODEVICE: $!\n";
bind($listener, $family == AF_INET6 ? pack_sockaddr_in6($port, $place) : pack_sockaddr_in($port, $place)) or die "bind: $!\n";
listen($listener, 8) or die "listen: $!\n";
$| = 1;
print "ready\n";
while (accept(my $connection, $listener)) {
    syswrite $connection, "hello\n";
    shutdown $connection, 1;
    sysread $connection, my $asked, 4096;
    close $connection;
}
