// Package getopt reads the options of a command, as getopt_long does. It takes the words after
// the program's name, and returns the options and the other arguments. It never checks whether
// the program knows an option.
package getopt

import "strings"

// Parse returns the options by their letters, with their values, and the other arguments. The
// letters in valued have a value. long contains the letters of long options; one that is not in it
// has the letter 0.
func Parse(args []string, valued string, long map[string]byte) (options map[byte]string, rest []string) {
	options = map[byte]string{}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return options, append(rest, args[i+1:]...)
		case strings.HasPrefix(arg, "--"):
			name, value, has := strings.Cut(arg[2:], "=")
			short := long[name]
			if !has && short != 0 && strings.IndexByte(valued, short) >= 0 && i+1 < len(args) {
				i++
				value = args[i]
			}
			options[short] = value
		case len(arg) > 1 && arg[0] == '-':
			for j := 1; j < len(arg); j++ {
				if strings.IndexByte(valued, arg[j]) < 0 {
					options[arg[j]] = ""
					continue
				}
				value := arg[j+1:]
				if value == "" && i+1 < len(args) {
					i++
					value = args[i]
				}
				options[arg[j]] = value
				break
			}
		default:
			rest = append(rest, arg)
		}
	}
	return options, rest
}
