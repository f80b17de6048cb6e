---@meta fkrpc.fs

---Files and folders. Paths, names and contents are bytes; a path cannot hold a NUL. What fails returns nil, a message
---(`cannot open "x": No such file or directory`) and the errno; arguments of a wrong type raise.
---@class fkrpc.fs
local fs = {}

---Make a folder the process's working directory.
---@param path string
---@return true? done
---@return string? message
---@return integer? errno
function fs.cd(path) end

---The names in a folder without `.` and `..`, hidden ones included, sorted by their bytes.
---@param path? string the working directory by default; a root's own folder
---@return string[]? names
---@return string? message
---@return integer? errno
function fs.ls(path) end

---The process's working directory: absolute, without symlinks.
---@return string? path
---@return string? message
---@return integer? errno
function fs.pwd() end

---Whether a path leads to something; symlinks are followed.
---@param path string
---@return boolean
function fs.exists(path) end

---Whether a path leads to a folder; symlinks are followed. Nil, message, errno where there is nothing.
---@param path string
---@return boolean? folder
---@return string? message
---@return integer? errno
function fs.is_dir(path) end

---@alias fkrpc.fs.type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"|"unknown"

---What the file system knows of a file.
---@class fkrpc.fs.stat
---@field type fkrpc.fs.type
---@field size integer bytes
---@field mode integer permission bits, 0 to 4095 (octal 7777)
---@field mtime number last change of the contents, in seconds since 1970
---@field atime number last read, in seconds since 1970
---@field ctime number last change of these fields, in seconds since 1970
---@field nlink integer names it has
---@field uid integer owner
---@field gid integer group
---@field dev integer file system
---@field ino integer number in the file system
---@field rdev integer of a device: which one
---@field blocks integer units of 512 bytes on the disk
---@field blksize integer the best size for reading and writing, in bytes

---@class fkrpc.fs.stat.options
---@field follow? boolean false: a symlink's own state; true by default

---What the file system knows of a file.
---@param path string
---@param options? fkrpc.fs.stat.options
---@return fkrpc.fs.stat? state
---@return string? message
---@return integer? errno
function fs.stat(path, options) end

---@class fkrpc.fs.mkdir.options
---@field parents? boolean make the folders above it, too; one that is there already is no failure
---@field mode? integer permission bits, less the process's umask; octal 777 by default

---Make a folder.
---@param path string
---@param options? fkrpc.fs.mkdir.options
---@return true? done
---@return string? message
---@return integer? errno
function fs.mkdir(path, options) end

---@class fkrpc.fs.remove.options
---@field recursive? boolean a folder with all that is in it; symlinks are removed, never followed

---Remove a file, a symlink or an empty folder.
---@param path string
---@param options? fkrpc.fs.remove.options
---@return true? done
---@return string? message
---@return integer? errno
function fs.remove(path, options) end

---Give a file or folder another name, in one step; a file that has the name is replaced.
---@param path string
---@param new string
---@return true? done
---@return string? message
---@return integer? errno
function fs.rename(path, new) end

---The bytes of a file.
---@param path string
---@param max? integer the most bytes from its start; all by default
---@return string? bytes
---@return string? message
---@return integer? errno
function fs.read(path, max) end

---@class fkrpc.fs.write.options
---@field mode? integer permission bits; those of the file it replaces by default

---Write a file whole or not at all: after a crash, a kill or a full disk it is the old one or the new one. A symlink is
---replaced, not followed; what is neither file nor symlink is refused. A process that is killed meanwhile may leave a
---file `.fkrpc-*.tmp` in the folder.
---@param path string
---@param bytes string
---@param options? fkrpc.fs.write.options
---@return true? done
---@return string? message
---@return integer? errno
function fs.write_atomic(path, bytes, options) end

---@class fkrpc.fs.touch.options
---@field mtime? number seconds since 1970; now by default
---@field atime? number seconds since 1970; now by default

---Set the times of a file; make an empty one where there is none.
---@param path string
---@param options? fkrpc.fs.touch.options
---@return true? done
---@return string? message
---@return integer? errno
function fs.touch(path, options) end

---What a symlink holds.
---@param path string
---@return string? target
---@return string? message
---@return integer? errno
function fs.readlink(path) end

---Make a symlink.
---@param target string what it holds: any bytes
---@param path string where it is made
---@return true? done
---@return string? message
---@return integer? errno
function fs.symlink(target, path) end

---All that is below a folder: `for path, type, message, errno in fs.walk(dir) do`. A folder comes before what is in it,
---names are sorted by their bytes, symlinks are told and not followed. `message` and `errno` come with a folder that
---cannot be read; the walk goes on.
---@param path string
---@return (fun(): string?, fkrpc.fs.type?, string?, integer?)? next nil if the folder itself cannot be read
---@return string? message
---@return integer? errno
function fs.walk(path) end

---@class fkrpc.fs.root.options
---@field symlinks? boolean false: follow none, not even those that stay below; true by default

---The same functions confined below a folder: no `..`, absolute path or symlink leads out, whatever others rename
---meanwhile. Where the system has no openat2(2), no symlink is followed.
---@param path string
---@param options? fkrpc.fs.root.options
---@return fkrpc.fs.root? root
---@return string? message
---@return integer? errno
function fs.root(path, options) end

---The functions of fs for paths below a folder: `root.read("x")` or `root:read("x")`. It holds the folder open.
---@class fkrpc.fs.root: fkrpc.fs
local root = {}

---Give the folder back; the other functions fail from then on. Lua 5.4: `local root <close> = ...` does it, too.
---@return true
function root.close() end

return fs
