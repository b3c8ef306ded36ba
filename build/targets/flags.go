package targets

import "strings"

// is reports whether a flag is true, isFalse whether it is set to false.
func is(flag *bool) bool { return flag != nil && *flag }

func isFalse(flag *bool) bool { return flag != nil && !*flag }

// value returns the value of a flag; "" if it was not set.
func value(flag *string) string {
	if flag == nil {
		return ""
	}
	return *flag
}

// list splits a flag's value at commas; nil if it is not set.
func list(flag *string) []string {
	if v := value(flag); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}
