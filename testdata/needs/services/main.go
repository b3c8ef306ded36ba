// services gives the port of a service that Go itself does not know.
package main

import (
	"fmt"
	"net"
)

func main() {
	port, err := net.LookupPort("tcp", "postgresql")
	fmt.Println(port, err)
}
