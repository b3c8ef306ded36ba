// zoneinfo-embedded is zoneinfo with the zones linked in.
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"
)

func main() {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(time.Unix(0, 0).In(zone).Format(time.RFC3339))
}
