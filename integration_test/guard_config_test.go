package integration_test

const (
	shopAudience     = "https://shop.example.com"
	upstreamAudience = "urn:scopegate:upstream:shop"
	password         = "correct-horse-battery-staple"
)

// shopIssuer is a token endpoint whose signing key the test knows.
const shopIssuer = `{
	{{globals}}
	debug
	scopegate {
		issuer {{url "auth"}}
		signing_key file {{dir}}/es256.pem
		store memory
		users file {{dir}}/users.json
		service shop https://shop.example.com {
			permissions orders.read orders.write
		}
		service bank https://bank.example.com {
			permissions accounts.read
		}
		client web {
			secret {env.WEB_SECRET}
			grant_types password client_credentials
			own shop/orders.read orders/** files/**
			own bank/accounts.read accounts/**
			permit shop/* **
			permit bank/* **
			allow audience_exchange by batch
			allow client_delegate by agent
		}
		client agent {
			secret {env.BATCH_SECRET}
			grant_types client_delegate
			permit shop/* **
			target_audiences https://shop.example.com
		}
		client batch {
			secret {env.BATCH_SECRET}
			grant_types audience_exchange
			permit shop/orders.read orders/**
			target_audiences https://shop.example.com
		}
		client both {
			secret {env.BATCH_SECRET}
			grant_types client_credentials audience_exchange
			own shop/orders.read orders/eu/**
			permit shop/orders.read orders/**
			target_audiences https://shop.example.com
		}
		client teller {
			secret {env.WEB_SECRET}
			grant_types client_credentials
			own bank/accounts.read accounts/**
		}
	}
}
http://:{{port "auth"}} {
	oauth_server
}
`

const shopRules = `
		GET /orders/{id} orders.read orders/{id}
		PUT /orders/{id} orders.write orders/{id}
		POST /orders/{id} orders.read orders/{id}
		GET /files/{path...} orders.read files/{path...}
		GET /accounts/{id} bank/accounts.read accounts/{id}
		authenticated GET /me
		authenticated GET /me/{_rest...}
		public GET /healthz
		public GET /assets/{_rest...}
		public POST /hooks
`

const shopUsers = `{"orgs":[{"id":"acme","name":"acme"}],"users":[
{"id":"alice","username":"alice","domain":"example.com","password_hash":"{{.hash}}","default_org":"acme",
 "memberships":[{"org":"acme","permissions":["shop/orders.read orders/**","shop/orders.write orders/1"]}]},
{"id":"mallory","username":"mallory","domain":"example.com","tokens_not_before":"2090-01-01T00:00:00Z","memberships":[{"org":"acme"}]}]}`
