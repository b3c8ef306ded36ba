// Package native calls the C library.
package native

// #include "native.h"
import "C"

import (
	"errors"
	"unsafe"
)

// Lookup returns the first IPv4 address of a host.
func Lookup(host string) (string, error) {
	name := C.CString(host)
	defer C.free(unsafe.Pointer(name))
	var address [C.addressSize]C.char
	if code := C.lookup(name, &address[0]); code != 0 {
		return "", errors.New(C.GoString(C.gai_strerror(code)))
	}
	return C.GoString(&address[0]), nil
}

// User is the name of the user that the process runs as.
func User() string { return C.GoString(C.user()) }

// Compiled is the day on which the C compiler thinks that it worked.
func Compiled() string { return C.GoString(C.compiled()) }
