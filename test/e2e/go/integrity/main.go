// A small program over the Go library with which `singularity` signs and verifies images: what it answers, without it.
//
//	sif-integrity sign IMAGE pgp|pem KEYFILE [group N | objects N,N]
//	sif-integrity verify PGPKEYS PEMKEYS OPTION IMAGE…
//	sif-integrity encrypted-key PASSPHRASE     makes a private key as sigstore keeps it, and the public one
//
// PGPKEYS and PEMKEYS are comma lists of files, or `-`; OPTION is `all`, `group=N`, `object=N`, `legacy` or `legacy-all`. verify prints one line of
// JSON for each image: {"ok", "error", "signatures": [{"id", "fingerprint", "verified": [ids]}]}.
package main

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sylabs/sif/v2/pkg/integrity"
	"github.com/sylabs/sif/v2/pkg/sif"

	"crypto/elliptic"
)

func main() {
	if len(os.Args) < 3 {
		end(fmt.Errorf("expected a verb and what it needs"))
	}
	switch verb, rest := os.Args[1], os.Args[2:]; verb {
	case "sign":
		end(sign(rest))
	case "verify":
		end(verify(rest))
	case "encrypted-key":
		end(encryptedKey(rest[0]))
	default:
		end(fmt.Errorf("unknown verb %q", verb))
	}
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func sign(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("expected an image, a kind of key and a file")
	}
	key, err := signingKey(args[1], args[2])
	if err != nil {
		return err
	}
	options := []integrity.SignerOpt{key}
	if len(args) == 5 {
		numbers, err := numbersOf(args[4])
		if err != nil {
			return err
		}
		if args[3] == "group" {
			options = append(options, integrity.OptSignGroup(numbers[0]))
		} else {
			options = append(options, integrity.OptSignObjects(numbers...))
		}
	}
	image, err := sif.LoadContainerFromPath(args[0])
	if err != nil {
		return err
	}
	defer image.UnloadContainer()
	signer, err := integrity.NewSigner(image, options...)
	if err != nil {
		return err
	}
	return signer.Sign()
}

func signingKey(kind, path string) (integrity.SignerOpt, error) {
	if kind == "pem" {
		signer, err := signature.LoadSignerFromPEMFile(path, crypto.SHA256, nil)
		if err != nil {
			return nil, err
		}
		return integrity.OptSignWithSigner(signer), nil
	}
	entities, err := readRing(path)
	if err != nil {
		return nil, err
	}
	return integrity.OptSignWithEntity(entities[0]), nil
}

func readRing(paths string) (openpgp.EntityList, error) {
	var ring openpgp.EntityList
	for _, path := range strings.Split(paths, ",") {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		entities, err := openpgp.ReadArmoredKeyRing(file)
		file.Close()
		if err != nil {
			return nil, err
		}
		ring = append(ring, entities...)
	}
	return ring, nil
}

func numbersOf(text string) ([]uint32, error) {
	var numbers []uint32
	for _, part := range strings.Split(text, ",") {
		number, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, uint32(number))
	}
	return numbers, nil
}

type signatureAnswer struct {
	ID          uint32   `json:"id"`
	Fingerprint string   `json:"fingerprint"`
	Verified    []uint32 `json:"verified"`
}

type answer struct {
	OK         bool              `json:"ok"`
	Error      string            `json:"error"`
	Signatures []signatureAnswer `json:"signatures"`
}

func verify(args []string) error {
	if len(args) < 4 {
		return fmt.Errorf("expected keys, keys, an option and images")
	}
	options, err := verifierOptions(args[0], args[1], args[2])
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, path := range args[3:] {
		if err := encoder.Encode(verifyOne(path, options)); err != nil {
			return err
		}
	}
	return nil
}

func verifierOptions(pgp, pem, option string) ([]integrity.VerifierOpt, error) {
	var options []integrity.VerifierOpt
	if pgp != "-" {
		ring, err := readRing(pgp)
		if err != nil {
			return nil, err
		}
		options = append(options, integrity.OptVerifyWithKeyRing(ring))
	}
	if pem != "-" {
		for _, path := range strings.Split(pem, ",") {
			verifier, err := signature.LoadVerifierFromPEMFile(path, crypto.SHA256)
			if err != nil {
				return nil, err
			}
			options = append(options, integrity.OptVerifyWithVerifier(verifier))
		}
	}
	name, value, _ := strings.Cut(option, "=")
	number, _ := strconv.ParseUint(value, 10, 32)
	switch name {
	case "group":
		options = append(options, integrity.OptVerifyGroup(uint32(number)))
	case "object":
		options = append(options, integrity.OptVerifyObject(uint32(number)))
	case "legacy":
		options = append(options, integrity.OptVerifyLegacy())
	case "legacy-all":
		options = append(options, integrity.OptVerifyLegacyAll())
	}
	return options, nil
}

// verifyOne answers for one image. The library panics on some hostile ones; that is no acceptance, either.
func verifyOne(path string, options []integrity.VerifierOpt) (result answer) {
	result.Signatures = []signatureAnswer{}
	defer func() {
		if caught := recover(); caught != nil {
			result.OK, result.Error = false, fmt.Sprintf("panic: %v", caught)
		}
	}()
	image, err := sif.LoadContainerFromPath(path, sif.OptLoadWithFlag(os.O_RDONLY))
	if err != nil {
		result.Error = err.Error()
		return result
	}
	defer image.UnloadContainer()
	seen := func(one integrity.VerifyResult) bool {
		signature := signatureAnswer{ID: one.Signature().ID(), Verified: []uint32{}}
		if entity := one.Entity(); entity != nil {
			signature.Fingerprint = hex.EncodeToString(entity.PrimaryKey.Fingerprint)
		}
		for _, object := range one.Verified() {
			signature.Verified = append(signature.Verified, object.ID())
		}
		result.Signatures = append(result.Signatures, signature)
		return false
	}
	verifier, err := integrity.NewVerifier(image, append(options, integrity.OptVerifyCallback(seen))...)
	if err == nil {
		err = verifier.Verify()
	}
	result.OK = err == nil
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func encryptedKey(passphrase string) error {
	private, public, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc([]byte(passphrase)))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(private, public...))
	return err
}
