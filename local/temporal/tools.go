//go:build tools

// Package temporal pins the Temporal CLI, so that go.sum names every module it is built from.
package temporal

import _ "github.com/temporalio/cli/cmd/temporal"
