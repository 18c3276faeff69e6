# needs: java
# Java's HTTP client and server, channels, datagrams and errors.
. "$(dirname "$0")/begin.sh"
java "$here/Peer.java"
