// ca-certificates says whether the system trusts any certificate authority.
package main

import (
	"crypto/x509"
	"fmt"
)

func main() {
	pool, err := x509.SystemCertPool()
	fmt.Println(err == nil && !pool.Equal(x509.NewCertPool()))
}
