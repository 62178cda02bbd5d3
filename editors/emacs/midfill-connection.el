;;; midfill-connection.el --- The language server, and what it knows of buffers  -*- lexical-binding: t -*-

;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; One server process for all of Emacs.  It is told of each buffer with `midfill-mode' and of every
;; change in it, piece by piece.  Positions are counted in characters ("utf-32"), as Emacs does.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'project)
(require 'subr-x)
(require 'url-util)

(defgroup midfill nil
  "Grey-text suggestions from a diffusion language model."
  :group 'convenience
  :prefix "midfill-")

(defcustom midfill-command '("midfill" "lsp")
  "The server's program and its arguments."
  :type '(repeat string))

(defcustom midfill-settings nil
  "Settings for the server, as a plist; `midfill settings' lists them in a shell.
For example (:mode \"subtle\" :comments :json-false)."
  :type 'plist)

(defconst midfill--languages
  '(("c++" . "cpp") ("js" . "javascript") ("js2" . "javascript") ("js-json" . "json")
    ("sh" . "shellscript") ("bash" . "shellscript") ("tsx" . "typescriptreact") ("gfm" . "markdown")
    ("mhtml" . "html") ("conf-toml" . "toml"))
  "What the protocol calls languages whose modes are named otherwise.")

(defconst midfill--crashes 3 "So often the server may end by itself within `midfill--crash-seconds'.")
(defconst midfill--crash-seconds 180)

(defvar midfill--connection nil "The connection to the server, or nil.")
(defvar midfill--server nil "The server's process.")
(defvar midfill--ready nil "Whether the server has been initialized.")
(defvar midfill--leaving nil "Whether the server is being stopped on purpose.")
(defvar midfill--ends nil "When the server ended by itself, newest first.")
(defvar midfill--folders nil "The folders that the server was told of.")
(defvar midfill--status nil "What the server said last about itself, a plist.")

(defvar-local midfill--opened nil "The connection that this buffer has been told to.")
(defvar-local midfill--version 0 "The number of the buffer's last change that was told.")
(defvar-local midfill--changes nil
  "Changes still to be told, newest first, or `all' for the whole text.")
(defvar-local midfill--changing nil "Where the change that is about to happen is.")

;;; Names and places

(defun midfill--uri ()
  "The current buffer's URI."
  (if buffer-file-name
      (midfill--file-uri buffer-file-name)
    (concat "untitled:" (url-hexify-string (buffer-name)))))

(defun midfill--file-uri (file)
  "The URI of FILE."
  (let ((path (expand-file-name file)))
    (concat "file://" (unless (string-prefix-p "/" path) "/")
            (url-hexify-string (directory-file-name path) url-path-allowed-chars))))

(defun midfill--folder ()
  "The current buffer's project, or else its folder."
  (midfill--file-uri (if-let ((project (project-current))) (project-root project) default-directory)))

(defun midfill--language ()
  "The current buffer's language, as the protocol calls it."
  (let ((name (replace-regexp-in-string "\\(-ts\\|-base\\)?-mode\\'" "" (symbol-name major-mode))))
    (or (cdr (assoc name midfill--languages)) name)))

(defun midfill--position (place)
  "PLACE in the current buffer as the protocol counts, a plist."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char place)
      (list :line (1- (line-number-at-pos nil t))
            :character (- place (line-beginning-position))))))

(defun midfill--place (position)
  "Where in the current buffer POSITION of the protocol is."
  (save-excursion
    (save-restriction
      (widen)
      (goto-char (point-min))
      (forward-line (plist-get position :line))
      (min (+ (point) (plist-get position :character)) (line-end-position)))))

;;; The process

(defun midfill--live ()
  "The connection, if it is one that works."
  (and midfill--connection (jsonrpc-running-p midfill--connection) midfill--connection))

(defun midfill--given-up ()
  "Whether the server has ended so often that it is not started again unasked."
  (and (nth (1- midfill--crashes) midfill--ends)
       (< (- (float-time) (nth (1- midfill--crashes) midfill--ends)) midfill--crash-seconds)))

(defun midfill--start ()
  "Start the server if it does not run and has not ended too often.
Signals a `user-error' if there is no such program."
  (unless (or (midfill--live) (midfill--given-up))
    (unless (executable-find (car midfill-command))
      (user-error "There is no program `%s': install Midfill with pip, or set `midfill-command'"
                  (car midfill-command)))
    (setq midfill--ready nil midfill--leaving nil
          midfill--folders (list (midfill--folder))
          midfill--connection
          (apply #'make-instance 'jsonrpc-process-connection
                 :name "midfill"
                 :process #'midfill--process
                 :notification-dispatcher #'midfill--hear
                 :request-dispatcher #'midfill--answer
                 :on-shutdown #'midfill--ended
                 ;; The log would fill with the text of the buffers.
                 (if (>= emacs-major-version 30)
                     '(:events-buffer-config (:size 0))
                   '(:events-buffer-scrollback-size 0))))
    (let ((connection midfill--connection))
      (jsonrpc-async-request
       connection :initialize
       (list :processId (emacs-pid)
             :clientInfo (list :name "Emacs" :version emacs-version)
             :rootUri (car midfill--folders)
             :workspaceFolders (vconcat (mapcar #'midfill--workspace-folder midfill--folders))
             :initializationOptions midfill-settings
             :capabilities
             '(:general (:positionEncodings ["utf-32"])
               :textDocument (:inlineCompletion (:dynamicRegistration :json-false))
               :workspace (:configuration t :applyEdit t :workspaceFolders t
                           :workspaceEdit (:documentChanges t))))
       :success-fn (lambda (_) (midfill--initialized connection))
       :error-fn (lambda (error) (message "Midfill did not start: %s" (plist-get error :message)))
       :timeout 60))))

(defun midfill--process ()
  "Start the server's process."
  (let ((default-directory temporary-file-directory))
    (setq
     midfill--server
     (make-process :name "midfill" :command midfill-command :connection-type 'pipe
                   :coding 'utf-8-emacs-unix :noquery t
                   :stderr (get-buffer-create "*midfill log*")))))

(defun midfill--initialized (connection)
  "Tell the server behind CONNECTION of the buffers."
  (when (eq connection midfill--connection)
    (setq midfill--ready t)
    (force-mode-line-update t)
    (jsonrpc-notify connection :initialized (make-hash-table))
    (dolist (buffer (buffer-list))
      (with-current-buffer buffer
        (when (bound-and-true-p midfill-mode)
          (midfill--sync))))))

(defun midfill--ended (connection)
  "Take note that the process behind CONNECTION has ended."
  (when (eq connection midfill--connection)
    (setq midfill--connection nil midfill--ready nil midfill--status nil)
    (unless midfill--leaving
      (push (float-time) midfill--ends)
      (if (midfill--given-up)
          (display-warning
           'midfill
           (format "Midfill has ended by itself %d times and is left alone.
The buffer *midfill log* may say why; M-x midfill-restart starts it again."
                   midfill--crashes)
           :error)
        (message "Midfill has ended by itself; it starts again when you type")))))

(defun midfill--stop ()
  "Stop the server, if it runs, and give it a moment to close its files.
Returns t."
  (setq midfill--leaving t)
  (when-let ((connection (midfill--live))
             (server midfill--server))
    (let (answered)
      (jsonrpc-async-request connection :shutdown nil
                             :success-fn (lambda (_) (setq answered t))
                             :error-fn #'ignore :timeout-fn #'ignore)
      (midfill--wait 1 (lambda () answered))
      (jsonrpc-notify connection :exit nil)
      (midfill--wait 1 (lambda () (not (process-live-p server))))
      (delete-process server)))
  t)

(defun midfill--wait (seconds enough)
  "Wait until ENOUGH returns non-nil, but not longer than SECONDS."
  (let ((end (+ (float-time) seconds)))
    (while (and (not (funcall enough)) (< (float-time) end))
      (accept-process-output nil 0.02))))

;; Not in `kill-emacs-hook': when its terminal is gone, Emacs would never be done with waiting.
(add-hook 'kill-emacs-query-functions #'midfill--stop)

;;; What the server says

(defun midfill--hear (_connection method params)
  "Take note of the server's notification METHOD with PARAMS."
  (pcase method
    ('window/showMessage (message "%s" (plist-get params :message)))
    ('midfill/status (setq midfill--status params) (force-mode-line-update t))))

(defun midfill--answer (_connection method params)
  "Answer the server's request METHOD with PARAMS."
  (pcase method
    ('workspace/configuration
     (vconcat (mapcar (lambda (_) midfill-settings) (plist-get params :items))))
    ('workspace/applyEdit
     (list :applied (if (midfill--apply (plist-get params :edit)) t :json-false)))
    ('client/registerCapability nil)
    (_ (jsonrpc-error :code -32601 :message "not known here"))))

(defun midfill--apply (edit)
  "Make EDIT in one undo step, if all its documents are as the server knows them.
Returns whether it was made."
  (let* ((documents (append (plist-get edit :documentChanges) nil))
         (buffers (mapcar #'midfill--buffer-of documents)))
    (unless (memq nil buffers)
      (cl-mapc #'midfill--apply-in buffers documents)
      t)))

(defun midfill--buffer-of (document)
  "The buffer that the edits of DOCUMENT are for, if it is still as it was."
  (let ((identifier (plist-get document :textDocument)))
    (cl-find-if (lambda (buffer)
                  (with-current-buffer buffer
                    (and midfill--opened (null midfill--changes)
                         (equal (midfill--uri) (plist-get identifier :uri))
                         (eql midfill--version (plist-get identifier :version)))))
                (buffer-list))))

(defun midfill--apply-in (buffer document)
  "Make the edits of DOCUMENT in BUFFER."
  (with-current-buffer buffer
    (let ((group (prepare-change-group))
          (edits (mapcar (lambda (edit)
                           (let ((range (plist-get edit :range)))
                             (list (copy-marker (midfill--place (plist-get range :start)))
                                   (copy-marker (midfill--place (plist-get range :end)))
                                   (plist-get edit :newText))))
                         (plist-get document :edits))))
      (undo-boundary)
      (save-excursion
        (pcase-dolist (`(,start ,end ,text) (nreverse edits))
          (delete-region start end)
          (goto-char start)
          (insert text)))
      (undo-amalgamate-change-group group)
      (midfill--sync))))

;;; What the server is told

(defun midfill--sync ()
  "Have the server know the current buffer as it is; whether it does."
  (cond ((not (and (midfill--live) midfill--ready)) nil)
        ((eq midfill--opened midfill--connection) (midfill--tell-changes) t)
        (t (midfill--tell-all) t)))

(defun midfill--tell (method params)
  "Notify the server of METHOD with PARAMS."
  (jsonrpc-notify midfill--connection method params))

(defun midfill--workspace-folder (uri)
  "URI as a folder of the workspace."
  (list :uri uri :name (file-name-nondirectory uri)))

(defun midfill--tell-all ()
  "Open the current buffer in the server."
  (let ((folder (midfill--folder)))
    (unless (member folder midfill--folders)
      (push folder midfill--folders)
      (midfill--tell :workspace/didChangeWorkspaceFolders
                     (list :event (list :added (vector (midfill--workspace-folder folder))
                                        :removed [])))))
  (setq midfill--opened midfill--connection midfill--version 0 midfill--changes nil)
  (midfill--tell :textDocument/didOpen
                 (list :textDocument
                       (list :uri (midfill--uri) :languageId (midfill--language)
                             :version midfill--version :text (midfill--text)))))

(defun midfill--text ()
  "All of the current buffer."
  (save-restriction (widen) (buffer-substring-no-properties (point-min) (point-max))))

(defun midfill--tell-changes ()
  "Tell what has changed since the last time."
  (when midfill--changes
    (let ((changes (if (eq midfill--changes 'all)
                       (vector (list :text (midfill--text)))
                     (vconcat (reverse midfill--changes)))))
      (setq midfill--changes nil)
      (cl-incf midfill--version)
      (midfill--tell :textDocument/didChange
                     (list :textDocument (list :uri (midfill--uri) :version midfill--version)
                           :contentChanges changes)))))

(defun midfill--before-change (beg end)
  "Take note of where BEG to END is before it changes."
  (when midfill--opened
    (setq midfill--changing
          (list beg end (midfill--position beg) (midfill--position end)))))

(defun midfill--after-change (beg end length)
  "Take note that LENGTH characters at BEG are now those to END.
Some commands announce more than they change: then all of the text is told."
  (when midfill--opened
    (pcase-let ((`(,from ,to ,start ,stop) midfill--changing))
      (setq midfill--changing nil)
      (cond ((eq midfill--changes 'all))
            ((and from (= from beg) (= (- to from) length))
             (push (list :range (list :start start :end stop) :rangeLength length
                         :text (save-restriction
                                 (widen)
                                 (buffer-substring-no-properties beg end)))
                   midfill--changes))
            (t (setq midfill--changes 'all))))))

(defun midfill--close ()
  "Close the current buffer in the server."
  (when (and midfill--opened (eq midfill--opened (midfill--live)))
    (midfill--tell :textDocument/didClose (list :textDocument (list :uri (midfill--uri)))))
  (setq midfill--opened nil))

(defun midfill--execute (command &rest arguments)
  "Have the server execute COMMAND with ARGUMENTS."
  (unless (midfill--sync)
    (user-error "Midfill is still starting, or is not running"))
  (jsonrpc-async-request midfill--connection :workspace/executeCommand
                         (list :command command :arguments (vconcat arguments))
                         :success-fn #'ignore
                         :error-fn (lambda (error) (message "Midfill: %s" (plist-get error :message)))
                         :timeout 600))

(provide 'midfill-connection)
;;; midfill-connection.el ends here
