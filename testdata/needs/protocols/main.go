// protocols says whether the name of a protocol that Go itself does not know
// has a number.
package main

import (
	"errors"
	"fmt"
	"net"
)

func main() {
	connection, err := net.ListenPacket("ip4:sctp", "127.0.0.1")
	if err == nil {
		connection.Close()
	}
	var unknown *net.AddrError
	fmt.Println(!errors.As(err, &unknown))
}
