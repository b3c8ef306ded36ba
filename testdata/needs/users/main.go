// users names the user that it runs as, and two that it asks for.
package main

import (
	"fmt"
	"os/user"
)

func main() {
	for _, find := range []func() (*user.User, error){
		user.Current,
		func() (*user.User, error) { return user.Lookup("root") },
		func() (*user.User, error) { return user.LookupId("0") },
	} {
		u, err := find()
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(u.Username)
	}
}
