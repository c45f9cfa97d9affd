// The workload of the tests: answers every HTTP request on :8080 with the name of its Pod.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("%s serves on :8080", name)
	log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s asked for %s", r.RemoteAddr, r.URL)
		fmt.Fprintln(w, name)
	})))
}
