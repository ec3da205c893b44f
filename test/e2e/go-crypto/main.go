// Reads keys with the OpenPGP library that `singularity` and `apptainer` link: which of them it refuses, and why.
//
//	go-crypto COUNT FILE…
//
// Every file is one armor block with so many keys. A line for each that is refused goes to standard output.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ProtonMail/go-crypto/openpgp"
)

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, name := range os.Args[2:] {
		if err := read(name, count); err != nil {
			fmt.Printf("%s: %v\n", filepath.Base(name), err)
		}
	}
}

func read(name string, count int) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	keys, err := openpgp.ReadArmoredKeyRing(file)
	if err == nil && len(keys) != count {
		return fmt.Errorf("%d keys were read", len(keys))
	}
	return err
}
