// Reads keys with the OpenPGP library that `singularity` and `apptainer` link: which of them it refuses, and why.
//
//	go-crypto FILE…
//
// Every file is one armor block with one key. A line for each that is refused goes to standard output.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ProtonMail/go-crypto/openpgp"
)

func main() {
	for _, name := range os.Args[1:] {
		if err := read(name); err != nil {
			fmt.Printf("%s: %v\n", filepath.Base(name), err)
		}
	}
}

func read(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	keys, err := openpgp.ReadArmoredKeyRing(file)
	if err == nil && len(keys) != 1 {
		return fmt.Errorf("%d keys were read", len(keys))
	}
	return err
}
