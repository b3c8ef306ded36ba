// Program bind listens on port 80, and says as whom.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"os/user"
)

func main() {
	me, err := user.Current()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(me.HomeDir+"/written", nil, 0o600); err != nil {
		log.Fatal(err)
	}
	if _, err := net.Listen("tcp", ":80"); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, who lives in %s, listens on port 80\n", me.Username, me.HomeDir)
}
