// A small program over the Go libraries that `singularity` and `apptainer` link: what they do on the wire, without them.
//
//	stock-client library push URL FILE PATH ARCH TAG[,TAG…]
//	stock-client library pull URL FILE PATH ARCH TAG
//	stock-client library search URL WORD ARCH
//	stock-client library delete URL PATH:TAG ARCH
//	stock-client keys add URL FILE
//	stock-client keys get|index URL SEARCH
//	stock-client keys version URL
//
// The token is in TOKEN, the authority in SSL_CERT_FILE. Results go to standard output, as JSON for push and search.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	keys "github.com/sylabs/scs-key-client/client"
	library "github.com/sylabs/scs-library-client/client"
)

func main() {
	if len(os.Args) < 4 {
		end(fmt.Errorf("expected a service, a verb and an address"))
	}
	service, verb, address, rest := os.Args[1], os.Args[2], os.Args[3], os.Args[4:]
	switch service {
	case "library":
		end(runLibrary(verb, address, rest))
	case "keys":
		end(runKeys(verb, address, rest))
	}
	end(fmt.Errorf("expected library or keys, got %q", service))
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runLibrary(verb, address string, rest []string) error {
	ctx := context.Background()
	c, err := library.NewClient(&library.Config{BaseURL: address, AuthToken: os.Getenv("TOKEN"), UserAgent: "stock-client/1"})
	if err != nil {
		return err
	}
	switch {
	case verb == "push" && len(rest) == 4:
		return push(ctx, c, rest[0], rest[1], rest[2], strings.Split(rest[3], ","))
	case verb == "pull" && len(rest) == 4:
		return pull(ctx, c, rest[0], rest[1], rest[2], rest[3])
	case verb == "search" && len(rest) == 2:
		found, err := c.Search(ctx, map[string]string{"value": rest[0], "arch": rest[1]})
		return printed(found, err)
	case verb == "delete" && len(rest) == 2:
		return c.DeleteImage(ctx, rest[0], rest[1])
	}
	return fmt.Errorf("library %s does not go with %d arguments", verb, len(rest))
}

func push(ctx context.Context, c *library.Client, file, path, arch string, tags []string) error {
	image, err := os.Open(file)
	if err != nil {
		return err
	}
	defer image.Close()
	done, err := c.UploadImage(ctx, image, path, arch, tags, "from the stock library client", nil)
	return printed(done, err)
}

func pull(ctx context.Context, c *library.Client, file, path, arch, tag string) error {
	// First of all the stock programs ask for the record: what is refused here is shown to people in the words of the server.
	if _, err := c.GetImage(ctx, arch, path+":"+tag); err != nil {
		return err
	}
	image, err := os.Create(file)
	if err != nil {
		return err
	}
	defer image.Close()
	// Three streams of 5 MiB parts: the default of the stock programs.
	parts := &library.Downloader{Concurrency: 3, PartSize: 5 * 1024 * 1024}
	return c.ConcurrentDownloadImage(ctx, image, arch, path, tag, parts, nil)
}

func runKeys(verb, address string, rest []string) error {
	ctx := context.Background()
	options := []keys.Option{keys.OptBaseURL(address), keys.OptUserAgent("stock-client/1")}
	if token := os.Getenv("TOKEN"); token != "" {
		options = append(options, keys.OptBearerToken(token))
	}
	c, err := keys.NewClient(options...)
	if err != nil {
		return err
	}
	switch {
	case verb == "add" && len(rest) == 1:
		text, err := os.ReadFile(rest[0])
		if err != nil {
			return err
		}
		return c.PKSAdd(ctx, string(text))
	case verb == "get" && len(rest) == 1:
		text, err := c.PKSLookup(ctx, nil, rest[0], keys.OperationGet, false, true, nil)
		return written(text, err)
	case verb == "index" && len(rest) == 1:
		page := keys.PageDetails{Size: 256}
		text, err := c.PKSLookup(ctx, &page, rest[0], keys.OperationIndex, true, false, []string{keys.OptionMachineReadable})
		return written(text, err)
	case verb == "version" && len(rest) == 0:
		text, err := c.GetVersion(ctx)
		return written(text, err)
	}
	return fmt.Errorf("keys %s does not go with %d arguments", verb, len(rest))
}

func printed(value any, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(value)
}

func written(text string, err error) error {
	if err == nil {
		fmt.Print(text)
	}
	return err
}
