// Command write writes the files of the extension to a directory and prints the
// extension's version.
package main

import (
	"fmt"
	"os"

	"github.com/pgmq-go/pgmq/internal/extension"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write DIRECTORY")
		os.Exit(2)
	}
	version, err := extension.Write(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
	fmt.Println(version)
}
