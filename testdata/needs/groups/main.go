// groups names a group, and says how many groups root is in.
package main

import (
	"fmt"
	"os/user"
)

func main() {
	byName, err := user.LookupGroup("root")
	fmt.Println(byName, err)
	byID, err := user.LookupGroupId("0")
	fmt.Println(byID, err)
	ids, err := (&user.User{Username: "root", Gid: "0"}).GroupIds()
	fmt.Println(len(ids) > 0, err)
}
