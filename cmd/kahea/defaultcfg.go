package main

import _ "embed"

// defaultConfig is what --default-cfg runs.
//
//go:embed default.cfg
var defaultConfig []byte
