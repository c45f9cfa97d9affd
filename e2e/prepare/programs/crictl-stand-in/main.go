// Stand-in for crictl, which Debian does not carry. It is not crictl: it knows only what kubeadm 1.20 asks of it, and
// makes the same calls to the container runtime as crictl does for that.
//
//	crictl-stand-in -r SOCKET info | pods -q | stopp POD | rmp POD | inspecti IMAGE | pull IMAGE | version
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1alpha2"
)

const usage = "this is a stand-in for crictl: -r SOCKET info | pods -q | stopp POD | rmp POD | inspecti IMAGE | pull IMAGE | version"

func main() {
	if len(os.Args) < 4 || os.Args[1] != "-r" {
		fail(usage)
	}
	// crictl's own limit is two seconds for a call, which it does not apply to pulling.
	limit := 2 * time.Second
	if os.Args[3] == "pull" {
		limit = 10 * time.Minute
	}
	within, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	socket := os.Args[2]
	if strings.HasPrefix(socket, "/") {
		socket = "unix://" + socket
	}
	connection, err := grpc.DialContext(within, socket, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		fail("cannot connect to " + socket + ": " + err.Error())
	}
	if err := run(within, connection, os.Args[3], os.Args[4:]); err != nil {
		fail(err.Error())
	}
}

func run(within context.Context, connection *grpc.ClientConn, command string, words []string) error {
	pods, images := cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection)
	word := strings.Join(words, " ")
	switch {
	case command == "info" && word == "":
		status, err := pods.Status(within, &cri.StatusRequest{})
		return printed(status, err)
	case command == "version" && word == "":
		version, err := pods.Version(within, &cri.VersionRequest{})
		return printed(version, err)
	case command == "pods" && word == "-q":
		list, err := pods.ListPodSandbox(within, &cri.ListPodSandboxRequest{})
		for _, pod := range list.GetItems() {
			fmt.Println(pod.Id)
		}
		return err
	case command == "stopp" && len(words) == 1:
		_, err := pods.StopPodSandbox(within, &cri.StopPodSandboxRequest{PodSandboxId: word})
		return err
	case command == "rmp" && len(words) == 1:
		status, err := pods.PodSandboxStatus(within, &cri.PodSandboxStatusRequest{PodSandboxId: word})
		if err != nil {
			return err
		}
		if status.GetStatus().GetState() == cri.PodSandboxState_SANDBOX_READY {
			return fmt.Errorf("pod sandbox %s is running, stop it first", word)
		}
		_, err = pods.RemovePodSandbox(within, &cri.RemovePodSandboxRequest{PodSandboxId: word})
		return err
	case command == "inspecti" && len(words) == 1:
		status, err := images.ImageStatus(within, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: word}, Verbose: true})
		if err == nil && status.GetImage() == nil {
			err = fmt.Errorf("no such image %q present", word)
		}
		return printed(status, err)
	case command == "pull" && len(words) == 1:
		image, err := images.PullImage(within, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: word}})
		return printed(image, err)
	}
	return fmt.Errorf("%s", usage)
}

func printed(answer fmt.Stringer, err error) error {
	if err == nil {
		fmt.Println(answer)
	}
	return err
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}
