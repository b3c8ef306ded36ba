package progress

import "fmt"

// Count returns "1 test" or "3 tests", for the outcome of a stage.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
