//go:build threads

package native

// #cgo LDFLAGS: -lgomp
// int omp_get_max_threads(void);
import "C"

// Threads makes the program need GCC's library for threads, libgomp.
var Threads = int(C.omp_get_max_threads())
