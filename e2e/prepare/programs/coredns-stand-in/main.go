// Stand-in for CoreDNS, which Debian does not carry. It is not CoreDNS: it answers CoreDNS' probes, so that the
// Deployment becomes Ready, and one name, kubernetes.default.svc.cluster.local, with the address of the API
// server's Service. Every other name does not exist.
package main

import (
	"encoding/binary"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

const known = "kubernetes.default.svc.cluster.local"

func main() {
	log.Print("this is a stand-in for CoreDNS")
	for _, address := range []string{":8080", ":8181"} { // /health, /ready
		go func(address string) {
			log.Fatal(http.ListenAndServe(address, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		}(address)
	}
	socket, err := net.ListenPacket("udp", ":53")
	if err != nil {
		log.Fatal(err)
	}
	service := net.ParseIP(os.Getenv("KUBERNETES_SERVICE_HOST")).To4()
	buffer := make([]byte, 512)
	for {
		length, peer, err := socket.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		if reply := answer(buffer[:length], service); reply != nil {
			socket.WriteTo(reply, peer)
		}
	}
}

// answer turns a query with one question into its reply (RFC 1035, section 4).
func answer(query []byte, service net.IP) []byte {
	if len(query) < 12 || binary.BigEndian.Uint16(query[4:]) != 1 {
		return nil
	}
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end > len(query) {
			return nil
		}
		labels = append(labels, strings.ToLower(string(query[at+1:end])))
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[at+1:])
	reply := append([]byte{}, query[:at+5]...)
	copy(reply[2:], []byte{0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // an authoritative reply, one question
	switch {
	case strings.Join(labels, ".") != known:
		reply[3] |= 3 // no such name
	case kind == 1 && service != nil:
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4) // the name again, A, IN, 30 s, 4 bytes
		reply = append(reply, service...)
	}
	return reply
}
