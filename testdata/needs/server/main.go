// server is an HTTP server that calls nobody. It prints the address that it
// would listen on, whose port is a name.
package main

import (
	"fmt"
	"net"
	"net/http"
)

func main() {
	server := &http.Server{Addr: "127.0.0.1:postgresql"}
	address, err := net.ResolveTCPAddr("tcp", server.Addr)
	fmt.Println(address, err)
	server.Close()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Println(err)
	}
}
