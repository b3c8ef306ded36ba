package attest

// AnyKey is a key of any kind, also of one that is refused, to show why it is.
var AnyKey = anyKey
