// Checks an exported audit log without galaxy-pool: the tree and the notes are Go's own.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run audit-verify.go [-k N] [-witness KEY]... [-older FILE]... FOLDER
//
// Debian: golang-go and golang-golang-x-mod-dev. It ends with 0 when everything holds, else with 4.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// witness verifies cosignature/v1 lines (C2SP tlog-cosignature), which package note does not know.
type witness struct {
	name string
	key  ed25519.PublicKey
}

func newWitness(text string) (*witness, error) {
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is no key", text)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, fmt.Errorf("%q is no key of a witness", text)
	}
	made := &witness{parts[0], ed25519.PublicKey(key[1:])}
	if fmt.Sprintf("%08x", made.KeyHash()) != parts[1] {
		return nil, fmt.Errorf("the id in %q is not that of its key", text)
	}
	return made, nil
}

func (w *witness) Name() string { return w.name }

func (w *witness) KeyHash() uint32 {
	hash := sha256.New()
	hash.Write([]byte(w.name + "\n\x04"))
	hash.Write(w.key)
	return binary.BigEndian.Uint32(hash.Sum(nil))
}

func (w *witness) Verify(message, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	stamp := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", stamp, message)
	return ed25519.Verify(w.key, []byte(signed), signature[8:])
}

// head is what a checkpoint says (C2SP tlog-checkpoint).
type head struct {
	origin string
	size   int64
	root   tlog.Hash
	by     map[string]bool
}

func readHead(path string, verifiers ...note.Verifier) (*head, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, fmt.Errorf("%s: no checkpoint of three lines", path)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := tlog.ParseHash(lines[2])
	if err != nil || err2 != nil || size < 0 {
		return nil, fmt.Errorf("%s: no size or no root", path)
	}
	by := map[string]bool{}
	for _, signature := range opened.Sigs {
		by[signature.Name] = true
	}
	if lines[0] != verifiers[0].Name() || !by[lines[0]] {
		return nil, fmt.Errorf("%s: not signed by the log it names", path)
	}
	return &head{lines[0], size, root, by}, nil
}

type hashes []tlog.Hash

func (all hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for at, index := range indexes {
		if index < 0 || index >= int64(len(all)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		found[at] = all[index]
	}
	return found, nil
}

func readTree(path string) (hashes, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	var all hashes
	var size int64
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 1<<16), 1<<24)
	scanner.Split(wholeLines)
	for ; scanner.Scan(); size++ {
		more, err := tlog.StoredHashes(size, scanner.Bytes(), all)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, more...)
	}
	return all, size, scanner.Err()
}

// wholeLines splits at line feeds alone and forgives no missing one: every byte counts.
func wholeLines(data []byte, atEnd bool) (int, []byte, error) {
	if at := bytes.IndexByte(data, '\n'); at >= 0 {
		return at + 1, data[:at], nil
	}
	if atEnd && len(data) > 0 {
		return 0, nil, fmt.Errorf("the last line is cut")
	}
	return 0, nil, nil
}

type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

func verify(folder string, witnessKeys, older list, quorum int) error {
	keys, err := os.ReadFile(filepath.Join(folder, "keys.txt"))
	if err != nil {
		return err
	}
	logKey, err := note.NewVerifier(strings.SplitN(string(keys), "\n", 2)[0])
	if err != nil {
		return err
	}
	verifiers := []note.Verifier{logKey}
	for _, text := range witnessKeys {
		made, err := newWitness(text)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, made)
	}
	newest, err := readHead(filepath.Join(folder, "checkpoint.txt"), verifiers...)
	if err != nil {
		return err
	}
	tree, size, err := readTree(filepath.Join(folder, "entries.jsonl"))
	if err != nil {
		return err
	}
	if size != newest.size {
		return fmt.Errorf("there are %d entries, the checkpoint is of %d", size, newest.size)
	}
	if root, err := tlog.TreeHash(size, tree); err != nil || root != newest.root {
		return fmt.Errorf("the entries are not those that were signed")
	}
	if cosigned := len(newest.by) - 1; cosigned < quorum {
		return fmt.Errorf("%d witnesses cosigned, %d must", cosigned, quorum)
	}
	for _, path := range older {
		old, err := readHead(path, logKey)
		if err != nil {
			return err
		}
		if old.size > size {
			return fmt.Errorf("the log once had %d entries and now has %d", old.size, size)
		}
		if root, err := tlog.TreeHash(old.size, tree); err != nil || root != old.root {
			return fmt.Errorf("the first %d entries are not those of %s", old.size, path)
		}
	}
	fmt.Printf("%s: %d entries, %d cosignatures: everything holds\n", newest.origin, size, len(newest.by)-1)
	return nil
}

func main() {
	var witnessKeys, older list
	quorum := flag.Int("k", 0, "how many of the named witnesses must have cosigned")
	flag.Var(&witnessKeys, "witness", "the key of a witness; repeatable")
	flag.Var(&older, "older", "an older checkpoint the log must contain; repeatable")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := verify(flag.Arg(0), witnessKeys, older, *quorum); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
}
