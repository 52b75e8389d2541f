package procmgr

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Identity is whom the server runs as after its privileges are dropped.
type Identity struct {
	UID, GID       int
	Groups         []int // supplementary
	SetUID, SetGID bool  // false: as it is
}

func (i Identity) chownUID() int {
	if i.SetUID {
		return i.UID
	}
	return -1
}

func (i Identity) chownGID() int {
	if i.SetGID {
		return i.GID
	}
	return -1
}

// LookupIdentity resolves -u and -g: names or numbers; the group defaults to the user's primary group, supplementary groups are the user's.
func LookupIdentity(name, group string) (id Identity, err error) {
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			if _, e := strconv.Atoi(name); e != nil {
				return id, fmt.Errorf("user %q: %w", name, err)
			}
			if u, err = user.LookupId(name); err != nil { // a number needs no entry
				u = &user.User{Uid: name}
			}
		}
		if id.UID, err = strconv.Atoi(u.Uid); err != nil {
			return id, fmt.Errorf("user %q, uid %q: %w", name, u.Uid, err)
		}
		id.SetUID = true
		if u.Gid != "" {
			if id.GID, err = strconv.Atoi(u.Gid); err != nil {
				return id, fmt.Errorf("user %q, gid %q: %w", name, u.Gid, err)
			}
			id.SetGID = true
			gs, err := u.GroupIds()
			if err != nil {
				return id, fmt.Errorf("groups of user %q: %w", name, err)
			}
			for _, g := range gs {
				if n, err := strconv.Atoi(g); err == nil {
					id.Groups = append(id.Groups, n)
				}
			}
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if _, e := strconv.Atoi(group); e != nil {
				return id, fmt.Errorf("group %q: %w", group, err)
			}
			g = &user.Group{Gid: group}
		}
		if id.GID, err = strconv.Atoi(g.Gid); err != nil {
			return id, fmt.Errorf("group %q, gid %q: %w", group, g.Gid, err)
		}
		id.SetGID = true
	}
	return id, nil
}

var errNoGroup = errors.New("no group is known for it")

// DropPrivileges makes this process and all children run as id (main, before Start). With bind, children may still open ports below 1024 (an
// ambient CAP_NET_BIND_SERVICE); main itself may not: only the thread that starts children keeps the capability. keepDump makes core dumps possible again.
func (m *Manager) DropPrivileges(id Identity, bind, keepDump bool) error {
	if !id.SetUID && !id.SetGID {
		return nil
	}
	if id.SetUID && !id.SetGID {
		return fmt.Errorf("user %d: %w", id.UID, errNoGroup)
	}
	bind = bind && id.SetUID && id.UID != 0 && unix.Geteuid() == 0
	var err error
	if bind {
		if m.spawn.do(func() { err = unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0) }); err != nil {
			return fmt.Errorf("keep capabilities: %w", err)
		}
	}
	if unix.Geteuid() == 0 {
		if err := syscall.Setgroups(id.Groups); err != nil {
			return fmt.Errorf("supplementary groups %v: %w", id.Groups, err)
		}
	}
	if err := syscall.Setgid(id.GID); err != nil {
		return fmt.Errorf("group %d: %w", id.GID, err)
	}
	if id.SetUID {
		if err := syscall.Setuid(id.UID); err != nil {
			return fmt.Errorf("user %d: %w", id.UID, err)
		}
	}
	if bind {
		m.spawn.do(func() {
			h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			const c = 1 << unix.CAP_NET_BIND_SERVICE
			d := [2]unix.CapUserData{{Effective: c, Permitted: c, Inheritable: c}}
			if err = unix.Capset(&h, &d[0]); err == nil {
				m.spawn.ambient = []uintptr{unix.CAP_NET_BIND_SERVICE}
			}
		})
		if err != nil {
			return fmt.Errorf("keep only the right to open low ports: %w", err)
		}
	}
	if keepDump {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set dumpable: %w", err)
		}
	}
	return nil
}
