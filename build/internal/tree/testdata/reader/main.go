// Command reader says what it finds of an operating system, a line for each
// question in its arguments. It is built without cgo and run in a chroot.
package main

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"mime"
	"net"
	"net/http"
	"os"
	"os/user"
	"strings"
	"time"
)

func main() {
	for _, arg := range os.Args[1:] {
		question, value, _ := strings.Cut(arg, "=")
		fmt.Println(answer(question, value))
	}
}

func answer(question, value string) string {
	switch question {
	case "zone":
		loc, err := time.LoadLocation(value)
		if err != nil {
			return err.Error()
		}
		return time.Unix(0, 0).In(loc).Format(time.RFC3339)
	case "get":
		resp, err := http.Get(value)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		return resp.Status
	case "trusts":
		der, err := hex.DecodeString(value)
		if err != nil {
			return err.Error()
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err.Error()
		}
		_, err = cert.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return fmt.Sprint(err)
	case "user":
		u, err := user.LookupId(value)
		if err != nil {
			return err.Error()
		}
		return u.Username + " " + u.HomeDir
	case "group":
		g, err := user.LookupGroupId(value)
		if err != nil {
			return err.Error()
		}
		return g.Name
	case "mime":
		return mime.TypeByExtension(value)
	case "port":
		network, service, _ := strings.Cut(value, "/")
		port, err := net.LookupPort(network, service)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(port)
	case "protocol":
		// The address family of a raw socket's name is looked up before the
		// socket is made, which no user but root may.
		_, err := net.ListenIP("ip4:"+value, nil)
		if err != nil && strings.Contains(err.Error(), "unknown") {
			return err.Error()
		}
		return "known"
	case "temp": // in os.TempDir, or in the folder that is named
		f, err := os.CreateTemp(value, "reader")
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(os.Remove(f.Name()))
	}
	return "unknown question " + question
}
