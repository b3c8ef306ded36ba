package fetch

import (
	"errors"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"1.1.1.1":              true,
		"93.184.215.14":        true,
		"2606:4700::1111":      true,
		"172.32.0.1":           true,
		"100.128.0.1":          true,
		"0.0.0.0":              false,
		"0.1.2.3":              false,
		"10.0.0.1":             false,
		"127.0.0.1":            false,
		"127.9.9.9":            false,
		"169.254.169.254":      false,
		"172.16.0.1":           false,
		"192.168.1.1":          false,
		"100.64.0.1":           false,
		"100.100.100.200":      false,
		"168.63.129.16":        false,
		"198.18.0.1":           false,
		"224.0.0.1":            false,
		"255.255.255.255":      false,
		"::":                   false,
		"::1":                  false,
		"::127.0.0.1":          false,
		"::ffff:127.0.0.1":     false,
		"::ffff:10.0.0.1":      false,
		"::ffff:1.1.1.1":       true,
		"64:ff9b::7f00:1":      false,
		"2002:7f00:1::":        false,
		"2001:0:1::":           false,
		"fd00:ec2::254":        false,
		"fe80::1":              false,
		"fe80::1%eth0":         false,
		"2002:7f00:1::%eth0":   false,
		"fec0::1":              false,
		"ff02::1":              false,
		"2001:db8::1":          false,
		"2a00:1450:4001::200e": true,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("public(%s) = %v", addr, got)
		}
	}
}

func TestRefusePrivate(t *testing.T) {
	for address, refused := range map[string]bool{
		"1.1.1.1:443":     false,
		"127.0.0.1:80":    true,
		"[fe80::1%lo]:80": true,
		"not-an-address":  true,
	} {
		if err := refusePrivate("tcp", address, nil); errors.Is(err, ErrRefused) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}
