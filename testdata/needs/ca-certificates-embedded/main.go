// ca-certificates-embedded is ca-certificates with Mozilla's roots linked in.
package main

import (
	"crypto/x509"
	"fmt"

	_ "golang.org/x/crypto/x509roots/fallback"
)

func main() {
	pool, err := x509.SystemCertPool()
	fmt.Println(err == nil && !pool.Equal(x509.NewCertPool()))
}
